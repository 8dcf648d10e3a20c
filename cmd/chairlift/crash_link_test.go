//go:build linux

package main

import (
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
)

// middleman stands between the service and the agents of this machine. What it
// holds back was said and not heard when the service is killed: without it
// those moments are too short to be met often.
type middleman struct {
	real     string // the service's socket, moved aside
	listener net.Listener
	deaf     [2]atomic.Bool // agents, service: nothing reaches them any more
	wg       sync.WaitGroup

	mu    sync.Mutex
	conns map[net.Conn]bool
	gone  bool
}

const (
	agentsDeaf = iota
	serviceDeaf
)

// stand takes the place of the socket in which agents look for the service.
func stand(data string) (*middleman, error) {
	path := filepath.Join(data, "link", "agent.sock")
	m := &middleman{real: filepath.Join(data, "link", "real.sock"), conns: map[net.Conn]bool{}}
	if err := os.Rename(path, m.real); err != nil {
		return nil, err
	}
	var err error
	if m.listener, err = net.Listen("unix", path); err != nil {
		return nil, err
	}
	m.wg.Go(func() {
		for {
			agent, err := m.listener.Accept()
			if err != nil {
				return
			}
			m.wg.Go(func() { m.join(agent) })
		}
	})
	return m, nil
}

// hold makes one side deaf until its connections end.
func (m *middleman) hold(side int) { m.deaf[side].Store(true) }

// join carries what the two say until one of them hangs up.
func (m *middleman) join(agent net.Conn) {
	service, err := net.Dial("unix", m.real)
	if err != nil {
		agent.Close()
		return
	}
	m.mu.Lock()
	gone := m.gone
	m.conns[agent], m.conns[service] = true, true
	m.mu.Unlock()
	hangUp := func() { agent.Close(); service.Close() }
	if gone {
		hangUp()
	}
	var both sync.WaitGroup
	both.Go(func() { m.carry(service, agent, serviceDeaf); hangUp() })
	both.Go(func() { m.carry(agent, service, agentsDeaf); hangUp() })
	both.Wait()
}

func (m *middleman) carry(to io.Writer, from io.Reader, side int) {
	b := make([]byte, 32<<10)
	for {
		n, err := from.Read(b)
		if n > 0 && !m.deaf[side].Load() {
			if _, err := to.Write(b[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// leave hangs up for both.
func (m *middleman) leave() {
	m.listener.Close()
	m.mu.Lock()
	m.gone = true
	for c := range m.conns {
		c.Close()
	}
	m.mu.Unlock()
	m.wg.Wait()
}
