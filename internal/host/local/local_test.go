package local

import (
	"testing"

	"github.com/chairlift-games/chairlift/internal/host"
	"github.com/chairlift-games/chairlift/internal/host/hosttest"
)

func TestMain(m *testing.M) { hosttest.Main(m) }

// subject is a local host that is opened again and again on one folder.
type subject struct {
	o    Options
	open *Host
}

func (s *subject) Open(t *testing.T) host.Host {
	h, err := New(s.o)
	if err != nil {
		t.Fatal(err)
	}
	s.open = h
	return h
}

func (s *subject) Close(t *testing.T) {
	if s.open == nil {
		return
	}
	if err := s.open.Close(); err != nil {
		t.Error(err)
	}
	s.open = nil
}

func conformance(t *testing.T, mode Mode) {
	hosttest.Run(t, func(t *testing.T) hosttest.Subject {
		return &subject{o: Options{Dir: t.TempDir(), Command: hosttest.Command(), Mode: mode}}
	})
}

func TestShared(t *testing.T) { conformance(t, Shared) }
