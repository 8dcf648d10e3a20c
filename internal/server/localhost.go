package server

import (
	"fmt"
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
