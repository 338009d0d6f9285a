//go:build never

// Package suites names what this module is for beside its tools, so that `go mod tidy` keeps it.
package suites

import _ "go.etcd.io/etcd/tests/v3/framework/e2e"
