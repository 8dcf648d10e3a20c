package link

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/chairlift-games/chairlift/internal/lift"
)

// network is an in-memory way from agents to one hub, for tests in a bubble
// of fake time.
type network struct {
	t      *testing.T
	name   string // of the service, as agents are told
	mu     sync.Mutex
	server *http.Server // nil while the service is away
	refuse bool         // new connections, although it is there
	tries  int          // how many were refused
	conns  chan net.Conn
	open   []*netConn
}

// netConn is one end of a connection; while dead, what is written is lost.
type netConn struct {
	net.Conn
	dead *atomic.Bool
}

func (c *netConn) Write(b []byte) (int, error) {
	if c.dead.Load() {
		return len(b), nil
	}
	return c.Conn.Write(b)
}

func newNetwork(t *testing.T) *network { return &network{t: t, name: "http://elsewhere"} }

// serve puts a handler at the other end.
func (n *network) serve(h http.Handler) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.conns = make(chan net.Conn)
	n.server = &http.Server{Handler: h}
	go n.server.Serve(&listener{conns: n.conns, closed: make(chan struct{})})
}

// down takes the service away, its connections too.
func (n *network) down() {
	n.mu.Lock()
	srv := n.server
	n.server = nil
	n.mu.Unlock()
	if srv != nil {
		srv.Close()
	}
	n.cut()
}

// cut breaks every connection.
func (n *network) cut() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, c := range n.open {
		c.Close()
	}
	n.open = nil
}

// deaden lets every connection stand, and carry nothing any more.
func (n *network) deaden() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, c := range n.open {
		c.dead.Store(true)
	}
}

func (n *network) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	n.mu.Lock()
	if n.server == nil || n.refuse {
		n.tries++
		n.mu.Unlock()
		return nil, errors.New("connection refused")
	}
	a, b := net.Pipe()
	var dead atomic.Bool
	mine, theirs := &netConn{a, &dead}, &netConn{b, &dead}
	n.open = append(n.open, mine, theirs)
	conns := n.conns
	n.mu.Unlock()
	select {
	case conns <- theirs:
		return mine, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// agent makes an agent on this network. Unless it is run, it stands still.
func (n *network) agent(id lift.InstanceID) *Agent {
	a, err := NewAgent(Options{Server: n.name, Instance: id, Token: "token of " + string(id)})
	if err != nil {
		n.t.Fatal(err)
	}
	a.client.Transport.(*http.Transport).DialContext = n.dial
	return a
}

// run makes an agent and runs it. The returned function ends it and returns
// what Run returned.
func (n *network) run(id lift.InstanceID) (*Agent, func() error) {
	a := n.agent(id)
	ctx, cancel := context.WithCancel(context.Background())
	var err error
	done := make(chan struct{})
	go func() {
		defer close(done)
		err = a.Run(ctx)
	}()
	return a, func() error {
		cancel()
		<-done
		return err
	}
}

type listener struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (l *listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *listener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *listener) Addr() net.Addr { return &net.UnixAddr{} }
