package hosttest

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/chairlift-games/chairlift/internal/host"
	"github.com/chairlift-games/chairlift/internal/lift"
)

const patience = 20 * time.Second

// A Switchboard is what everything that runs in instances connects to.
type Switchboard struct {
	t        *testing.T
	path     string
	listener net.Listener

	mu    sync.Mutex
	peers []*Peer
	come  chan struct{} // closed and made anew when somebody comes
}

// NewSwitchboard listens on a unix socket until the test ends.
func NewSwitchboard(t *testing.T) *Switchboard {
	t.Helper()
	t.Setenv(secretName, "secret")
	dir, err := os.MkdirTemp("", "sb")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	s := &Switchboard{t: t, path: filepath.Join(dir, "s"), come: make(chan struct{})}
	s.listen()
	t.Cleanup(func() {
		s.listener.Close()
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, p := range s.peers {
			p.conn.Close()
		}
	})
	return s
}

func (s *Switchboard) listen() {
	s.t.Helper()
	l, err := net.Listen("unix", s.path)
	if err != nil {
		s.t.Fatal(err)
	}
	s.listener = l
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go s.admit(conn)
		}
	}()
}

// Reopen makes the socket anew, as a service does that starts again.
func (s *Switchboard) Reopen() {
	s.t.Helper()
	s.listener.Close()
	s.listen()
}

// Spec is that of an instance whose agent reports here.
func (s *Switchboard) Spec(id lift.InstanceID) host.Spec {
	return host.Spec{ID: id, Server: "unix:" + s.path, Token: "token-of-" + string(id)}
}

func (s *Switchboard) admit(conn net.Conn) {
	in := bufio.NewReader(conn)
	line, err := in.ReadBytes('\n')
	if err != nil {
		conn.Close()
		return
	}
	p := &Peer{t: s.t, conn: conn, gone: make(chan struct{}), answers: make(chan string, 1)}
	if err := json.Unmarshal(line, &p.Hello); err != nil {
		conn.Close()
		return
	}
	p.ID = p.Hello.ID
	s.mu.Lock()
	s.peers = append(s.peers, p)
	close(s.come)
	s.come = make(chan struct{})
	s.mu.Unlock()
	defer close(p.gone)
	for {
		line, err := in.ReadBytes('\n')
		if err != nil {
			return
		}
		var text string
		json.Unmarshal(line, &text)
		p.answers <- text
	}
}

func (s *Switchboard) find(id lift.InstanceID, kind string) (found []*Peer, come chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.peers {
		if p.ID == id && p.Hello.Kind == kind {
			found = append(found, p)
		}
	}
	return found, s.come
}

// Wait waits for something to report.
func (s *Switchboard) Wait(id lift.InstanceID, kind string) *Peer {
	s.t.Helper()
	deadline := time.After(patience)
	for {
		found, come := s.find(id, kind)
		if len(found) > 0 {
			return found[len(found)-1]
		}
		select {
		case <-come:
		case <-deadline:
			s.t.Fatalf("the %s of %s did not report", kind, id)
		}
	}
}

// Count says how many have reported.
func (s *Switchboard) Count(id lift.InstanceID, kind string) int {
	found, _ := s.find(id, kind)
	return len(found)
}

// A Peer is a process of an instance.
type Peer struct {
	ID      lift.InstanceID
	Hello   Hello
	t       *testing.T
	conn    net.Conn
	gone    chan struct{}
	answers chan string
}

// Tell gives an order that has no answer.
func (p *Peer) Tell(order string) { fmt.Fprintln(p.conn, order) }

// Hangup closes the connection. An agent comes again, others end.
func (p *Peer) Hangup() { p.conn.Close() }

// Ask gives an order and waits for the answer.
func (p *Peer) Ask(order string) string {
	p.t.Helper()
	p.Tell(order)
	select {
	case a := <-p.answers:
		return a
	case <-p.gone:
		p.t.Fatalf("the %s of %s is gone; it was to %s", p.Hello.Kind, p.ID, order)
	case <-time.After(patience):
		p.t.Fatalf("the %s of %s does not answer; it was to %s", p.Hello.Kind, p.ID, order)
	}
	return ""
}

// ExpectGone waits for the end of the process.
func (p *Peer) ExpectGone() {
	p.t.Helper()
	select {
	case <-p.gone:
	case <-time.After(patience):
		p.t.Errorf("the %s of %s lives on", p.Hello.Kind, p.ID)
	}
}

// ExpectHere proves that the process lives.
func (p *Peer) ExpectHere() {
	p.t.Helper()
	p.Ask("ping")
}
