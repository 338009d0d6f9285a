package embed

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
)

const (
	// readyMax is how long a server may take until it answers.
	readyMax = 60 * time.Second
	// lookEvery is the pause between two attempts to connect.
	lookEvery = time.Millisecond
	// outputMax is how much of a server's output, in bytes, a report of its failure quotes.
	outputMax = 16 << 10
)

// Etcd is a running server.
type Etcd struct {
	Server *Server

	process *exec.Cmd
	ended   chan struct{} // closed when the process was waited for
	closing atomic.Bool
	errs    chan error
}

// Server has those methods of etcd's EtcdServer that the suites call.
type Server struct {
	etcd    *Etcd
	ready   chan struct{}
	cluster Cluster
}

// Cluster tells where clients reach the one member.
type Cluster struct{ clientURLs []string }

func (s *Server) ReadyNotify() <-chan struct{} { return s.ready }
func (s *Server) Stop()                        { s.etcd.Close() }
func (s *Server) Cluster() *Cluster            { return &s.cluster }
func (c *Cluster) ClientURLs() []string        { return c.clientURLs }

// Err yields an error when the server ends before Close.
func (e *Etcd) Err() <-chan error { return e.errs }

// Close kills the server and waits for its end.
func (e *Etcd) Close() {
	e.closing.Store(true)
	_ = e.process.Process.Kill()
	<-e.ended
}

// StartEtcd starts the server; it returns when the server answers a Status call.
func StartEtcd(cfg *Config) (*Etcd, error) {
	program := os.Getenv("SERVER_UNDER_TEST")
	if program == "" {
		return nil, errors.New("SERVER_UNDER_TEST names no program: set it to a server that takes etcd's flags")
	}
	output := &tail{}
	process := exec.Command(program, cfg.arguments()...)
	process.Stdout, process.Stderr = output, output
	process.WaitDelay = time.Second
	process.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := startFromLastingThread(process); err != nil {
		return nil, fmt.Errorf("%s: %w", program, err)
	}
	e := &Etcd{process: process, ended: make(chan struct{}), errs: make(chan error, 1)}
	e.Server = &Server{etcd: e, ready: make(chan struct{})}
	for _, u := range cfg.AdvertiseClientUrls {
		e.Server.cluster.clientURLs = append(e.Server.cluster.clientURLs, u.String())
	}
	go func() {
		err := process.Wait()
		if !e.closing.Load() {
			e.errs <- fmt.Errorf("the server ended: %v\n%s", err, output)
		}
		close(e.errs)
		close(e.ended)
	}()
	if err := e.waitReady(cfg); err != nil {
		e.Close()
		return nil, fmt.Errorf("%s does not serve: %w\n%s", program, err, output)
	}
	close(e.Server.ready)
	return e, nil
}

// waitReady connects until the port is open, then asks for the status, which a server answers once it serves.
func (e *Etcd) waitReady(cfg *Config) error {
	ctx, cancel := context.WithTimeout(context.Background(), readyMax)
	defer cancel()
	go func() {
		select {
		case <-e.ended:
			cancel()
		case <-ctx.Done():
		}
	}()
	address := cfg.ListenClientUrls[0]
	for {
		connection, err := net.DialTimeout("tcp", address.Host, time.Second)
		if err == nil {
			connection.Close()
			break
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(lookEvery):
		}
	}
	transport := insecure.NewCredentials()
	if address.Scheme == "https" {
		tls, err := cfg.ClientTLSInfo.ClientConfig()
		if err != nil {
			return err
		}
		transport = credentials.NewTLS(tls)
	}
	channel, err := grpc.NewClient("passthrough:///"+address.Host, grpc.WithTransportCredentials(transport))
	if err != nil {
		return err
	}
	defer channel.Close()
	_, err = pb.NewMaintenanceClient(channel).Status(ctx, &pb.StatusRequest{}, grpc.WaitForReady(true))
	return err
}

var (
	starterOnce sync.Once
	toStart     = make(chan func())
)

// startFromLastingThread starts a process from a thread that does not end before the tests do: the signal that a process
// gets when its parent dies is bound to the thread that started it.
func startFromLastingThread(process *exec.Cmd) error {
	starterOnce.Do(func() {
		go func() {
			runtime.LockOSThread()
			for start := range toStart {
				start()
			}
		}()
	})
	started := make(chan error)
	toStart <- func() { started <- process.Start() }
	return <-started
}

// tail keeps the end of what a server wrote.
type tail struct {
	lock  sync.Mutex
	bytes []byte
}

func (t *tail) Write(p []byte) (int, error) {
	t.lock.Lock()
	defer t.lock.Unlock()
	t.bytes = append(t.bytes, p...)
	if excess := len(t.bytes) - outputMax; excess > 0 {
		t.bytes = append(t.bytes[:0], t.bytes[excess:]...)
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.lock.Lock()
	defer t.lock.Unlock()
	return string(t.bytes)
}
