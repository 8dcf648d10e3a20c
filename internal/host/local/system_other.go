//go:build !linux

package local

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/chairlift-games/chairlift/internal/host"
	"github.com/chairlift-games/chairlift/internal/lift"
)

// system needs nothing here.
type system struct{}

func (h *Host) probe() error {
	if h.Options.Mode == Isolated {
		return errors.New("isolated instances are only possible on Linux; choose shared instances")
	}
	h.mode = Shared
	h.missing = append(h.missing,
		"Instances share this machine's address, ports and files, because only Linux can isolate them: write {port} in launch parameters where two server processes would want the same port, and expect one instance at a time with Server SDK 3 or 4.",
		"Instances have no limits of processor time and memory: instance types only count.")
	h.missing = append(h.missing, systemMissing...)
	return nil
}

func (h *Host) reserve(lift.InstanceID) (string, error) { return h.Address, nil }

func (h *Host) release(lift.InstanceID) error { return nil }

func (h *Host) sweepSystem(running map[lift.InstanceID]bool) error {
	for id, lives := range running {
		if !lives {
			endRest(h.folder(id))
		}
	}
	return nil
}

// spawn starts the agent and waits until it holds its folder.
func (h *Host) spawn(ctx context.Context, dir string, s host.Spec, rec record) error {
	command, err := h.copied()
	if err != nil {
		return err
	}
	log, err := os.OpenFile(filepath.Join(dir, host.LogName), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	place := host.Place{ID: s.ID, Server: s.Server, Dir: dir, Address: rec.Address}
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Dir = dir
	cmd.Env = append(append(passedOnEnv(), h.Env...), place.Env()...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = detached()
	if err := cmd.Start(); err != nil {
		return err
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		h.await(cmd, dir, s.ID)
	}()
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for !host.Started(dir) {
		select {
		case <-ended:
			text, _ := os.ReadFile(filepath.Join(dir, host.LogName))
			return fmt.Errorf("the agent ended: %s", strings.TrimSpace(string(text[max(0, len(text)-1000):])))
		case <-ctx.Done():
			cmd.Process.Kill()
			<-ended
			return ctx.Err()
		case <-time.After(10 * time.Millisecond):
		}
	}
	return nil
}

// await notes how an agent ended that is a child of this process.
func (h *Host) await(cmd *exec.Cmd, dir string, id lift.InstanceID) {
	err := cmd.Wait()
	h.Log.Info("instance ended", "instance", id, "error", err)
	if !host.Started(dir) {
		return
	}
	exit := host.Exit{Code: cmd.ProcessState.ExitCode(), At: time.Now().UTC()}
	exit.Reason = "the agent ended: " + cmd.ProcessState.String()
	host.WriteExit(dir, exit)
	endRest(dir)
}

func (h *Host) kill(dir string, _ lift.InstanceID) error {
	held, err := host.Held(dir)
	if err != nil {
		return err
	}
	if held {
		pid, err := host.Find(dir)
		if err != nil {
			return fmt.Errorf("its agent holds %s but cannot be found: %w", filepath.Join(dir, host.LockName), err)
		}
		p, err := os.FindProcess(pid)
		if err != nil {
			return err
		}
		// Held still, so pid was its agent's when it was looked up.
		if held, err := host.Held(dir); err != nil || !held {
			return err
		}
		if err := p.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
			return err
		}
		for range 2000 {
			if held, err = host.Held(dir); err != nil || !held {
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
		if held || err != nil {
			return errors.Join(err, fmt.Errorf("its agent (%d) does not end", pid))
		}
	}
	endRest(dir)
	return nil
}
