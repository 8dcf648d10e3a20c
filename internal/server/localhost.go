package server

import (
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/chairlift-games/chairlift/internal/host"
	"github.com/chairlift-games/chairlift/internal/host/local"
)

// LocalHost makes the host of this machine. The mode is local (isolated where
// the rights allow, else shared), isolated or shared; for none it is nil. What
// the machine cannot do is logged, one sentence each.
func LocalHost(mode string) func(Place) (host.Host, error) {
	modes := map[string]local.Mode{"local": local.Auto, "isolated": local.Isolated, "shared": local.Shared}
	m, ok := modes[mode]
	if !ok {
		return nil
	}
	return func(p Place) (host.Host, error) {
		self, err := os.Executable()
		if err != nil {
			return nil, fmt.Errorf("cannot find this program's own file, which agents run: %w", err)
		}
		h, err := local.New(local.Options{
			Dir: filepath.Join(p.Data, "host"), Command: []string{self, "agent"}, Mode: m, Hide: []string{p.Data}, Log: p.Log,
		})
		if err != nil {
			return nil, err
		}
		for _, sentence := range h.Missing() {
			p.Log.Warn(sentence)
		}
		return h, nil
	}
}

// hostOpening is a host on its way.
type hostOpening struct {
	done chan struct{} // closed when the rest is set
	host host.Host
	err  error
}

func beginHost(o Options) *hostOpening {
	h := &hostOpening{done: make(chan struct{})}
	go func() {
		defer close(h.done)
		h.host, h.err = o.Host(Place{Data: o.Data, Log: o.Log})
	}()
	return h
}

func (h *hostOpening) wait() (host.Host, error) {
	<-h.done
	return h.host, h.err
}

// close lets go of the host, once it has come; its instances go on.
func (h *hostOpening) close() {
	got, err := h.wait()
	if c, ok := got.(io.Closer); ok && err == nil {
		_ = c.Close() // it only holds a lock
	}
}
