// Stands in for go.etcd.io/etcd/server/v3 where Kubernetes' storage suites embed it: the package embed, and of it what
// they use. It starts the program that is named by SERVER_UNDER_TEST.
module go.etcd.io/etcd/server/v3

go 1.26.0

require (
	go.etcd.io/etcd/api/v3 v3.6.8
	go.etcd.io/etcd/client/pkg/v3 v3.6.8
	go.uber.org/zap v1.27.1
	google.golang.org/grpc v1.72.2
)
