// Package embed takes the place of etcd's package of that name: StartEtcd starts a server as a process of its own. So
// tests that embed etcd judge, unmodified, whatever program SERVER_UNDER_TEST names.
package embed

import (
	"fmt"
	"net/url"
	"strings"
	"time"

	"go.etcd.io/etcd/client/pkg/v3/transport"
	"go.uber.org/zap"
)

// DefaultName is the name of a member that was given none.
const DefaultName = "default"

// defaultMaxRequestBytes is etcd's limit; only another one becomes a flag.
const defaultMaxRequestBytes = 1.5 * 1024 * 1024

// Config has those fields of etcd's Config that the suites set. Each becomes a flag of the same name.
type Config struct {
	Name string
	Dir  string

	ListenPeerUrls, AdvertisePeerUrls     []url.URL
	ListenClientUrls, AdvertiseClientUrls []url.URL
	InitialCluster                        string

	UnsafeNoFsync               bool
	QuotaBackendBytes           int64
	MaxRequestBytes             uint
	WatchProgressNotifyInterval time.Duration

	ClientTLSInfo, PeerTLSInfo transport.TLSInfo

	LogLevel string
	// ZapLoggerBuilder has no effect: another process does the logging.
	ZapLoggerBuilder func(*Config) error
}

// NewConfig returns etcd's defaults.
func NewConfig() *Config {
	local := func(port int) []url.URL {
		return []url.URL{{Scheme: "http", Host: fmt.Sprintf("localhost:%d", port)}}
	}
	cfg := &Config{
		Name:                DefaultName,
		ListenPeerUrls:      local(2380),
		AdvertisePeerUrls:   local(2380),
		ListenClientUrls:    local(2379),
		AdvertiseClientUrls: local(2379),
		MaxRequestBytes:     defaultMaxRequestBytes,
	}
	cfg.InitialCluster = cfg.InitialClusterFromName(cfg.Name)
	return cfg
}

// NewZapLoggerBuilder is here because the suites call it.
func NewZapLoggerBuilder(*zap.Logger) func(*Config) error {
	return func(*Config) error { return nil }
}

// InitialClusterFromName names one member with all of its peer addresses.
func (cfg *Config) InitialClusterFromName(name string) string {
	if name == "" {
		name = DefaultName
	}
	var members []string
	for _, u := range cfg.AdvertisePeerUrls {
		members = append(members, name+"="+u.String())
	}
	return strings.Join(members, ",")
}

// arguments is the command line that means the same to an etcd.
func (cfg *Config) arguments() []string {
	var arguments []string
	add := func(name, value string) {
		if value != "" {
			arguments = append(arguments, "--"+name+"="+value)
		}
	}
	add("name", cfg.Name)
	add("data-dir", cfg.Dir)
	add("listen-peer-urls", joined(cfg.ListenPeerUrls))
	add("initial-advertise-peer-urls", joined(cfg.AdvertisePeerUrls))
	add("listen-client-urls", joined(cfg.ListenClientUrls))
	add("advertise-client-urls", joined(cfg.AdvertiseClientUrls))
	add("initial-cluster", cfg.InitialCluster)
	add("log-level", cfg.LogLevel)
	add("cert-file", cfg.ClientTLSInfo.CertFile)
	add("key-file", cfg.ClientTLSInfo.KeyFile)
	add("trusted-ca-file", cfg.ClientTLSInfo.TrustedCAFile)
	if cfg.ClientTLSInfo.ClientCertAuth {
		arguments = append(arguments, "--client-cert-auth")
	}
	if cfg.UnsafeNoFsync {
		arguments = append(arguments, "--unsafe-no-fsync")
	}
	if cfg.QuotaBackendBytes != 0 {
		add("quota-backend-bytes", fmt.Sprint(cfg.QuotaBackendBytes))
	}
	if cfg.MaxRequestBytes != defaultMaxRequestBytes {
		add("max-request-bytes", fmt.Sprint(cfg.MaxRequestBytes))
	}
	if cfg.WatchProgressNotifyInterval != 0 {
		add("watch-progress-notify-interval", cfg.WatchProgressNotifyInterval.String())
	}
	return arguments
}

func joined(urls []url.URL) string {
	var texts []string
	for _, u := range urls {
		texts = append(texts, u.String())
	}
	return strings.Join(texts, ",")
}
