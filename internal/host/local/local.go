// Package local is the host for the machine the service runs on.
//
// Isolated instances (Linux, with the rights) have a network, mounts, process
// ids and limits of their own; shared ones are processes in a folder that share
// the machine's address. New finds out what is possible, and Missing says in a
// sentence each what is not and what follows from that.
//
//	h, err := local.New(local.Options{Dir: "chairlift-data/host", Command: []string{exe, "agent"}})
//	for _, sentence := range h.Missing() { … }
//	err = h.Start(ctx, spec)
//
// Agents do not belong to the process that started them: they run in sessions
// of their own, and whoever opens the folder next finds them.
package local

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/chairlift-games/chairlift/internal/host"
	"github.com/chairlift-games/chairlift/internal/lift"
)

// Mode says how much an instance has to itself.
type Mode string

const (
	Auto     Mode = ""         // Isolated if possible, else Shared
	Isolated Mode = "isolated" // an error of New where it is not possible
	Shared   Mode = "shared"
)

// Options make a Host. Dir and Command are needed.
type Options struct {
	// Dir is the folder for the instances' folders. One process has it at a time.
	Dir string
	// Command is the agent's program and its arguments. The program is copied
	// into Dir, so that agents keep theirs when it is replaced.
	Command []string
	Mode    Mode
	// Address is the machine's, for shared instances; 127.0.0.1 if empty.
	Address string
	// Hide are folders that isolated instances see empty: where the service
	// keeps its keys and its database.
	Hide []string
	// Env is added to the environment of agents. Of this process's own they
	// get only what programs commonly need, never its secrets.
	Env []string
	Log *slog.Logger // nil logs nothing

	// For tests: to do without namespaces, and with which program for
	// address translation.
	plain    bool
	outwards string
}

// Host is the host. Its methods may be called at once.
type Host struct {
	Options
	mode    Mode
	missing []string
	lock    *os.File
	system
	background sync.WaitGroup // what Close waits for

	copying sync.Mutex
	command []string // Command with the copy's name, once it is there

	mu    sync.Mutex
	turns map[lift.InstanceID]*turn // who is started or stopped right now
}

// record is what Dir remembers of an instance besides what host keeps there.
type record struct {
	ID      lift.InstanceID
	Mode    Mode
	Address string
	Created time.Time
}

const recordName = "instance.json"

// New opens the folder, finds out what is possible, and clears away what dead
// instances left on the machine. Instances of an earlier process go on.
func New(o Options) (*Host, error) {
	if len(o.Command) == 0 || o.Command[0] == "" {
		return nil, errors.New("local host: the agent's command is missing")
	}
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return nil, err
	}
	o.Dir = dir
	if o.Address == "" {
		o.Address = "127.0.0.1"
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	for i, hidden := range o.Hide {
		if o.Hide[i], err = filepath.Abs(hidden); err != nil {
			return nil, err
		}
	}
	for _, sub := range []string{"instances", "stopped", "bin"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o700); err != nil {
			return nil, fmt.Errorf("local host: %w", err)
		}
	}
	h := &Host{Options: o, turns: map[lift.InstanceID]*turn{}}
	if h.lock, err = host.Lock(filepath.Join(dir, "host.lock")); err != nil {
		return nil, fmt.Errorf("local host: the folder %s is in use by another Chairlift; stop that one or use another data folder: %w", dir, err)
	}
	if err := h.open(); err != nil {
		h.Close()
		return nil, fmt.Errorf("local host: %w", err)
	}
	return h, nil
}

func (h *Host) open() error {
	if left, err := filepath.Glob(filepath.Join(h.Dir, probePattern)); err == nil {
		for _, dir := range left {
			h.clear(dir)
		}
	}
	if err := h.probe(); err != nil {
		return err
	}
	if err := h.sweep(); err != nil {
		return err
	}
	// The first instance would wait for it; New need not.
	h.background.Go(func() {
		if _, err := h.copied(); err != nil {
			h.Log.Error("instances cannot start yet", "err", err)
		}
	})
	return nil
}

// probePattern names the folders of probes in Dir.
const probePattern = "probe-*"

// clear removes the folder of a probe; nothing but Close waits for it.
func (h *Host) clear(dir string) { h.background.Go(func() { os.RemoveAll(dir) }) }

// Mode says what instances started from now on are: Isolated or Shared.
func (h *Host) Mode() Mode { return h.mode }

// Missing gives a sentence for each thing this machine does not allow, and
// what follows from that.
func (h *Host) Missing() []string { return slices.Clone(h.missing) }

// Close lets go of the folder. Instances go on.
func (h *Host) Close() error {
	h.background.Wait()
	return h.lock.Close()
}

func (h *Host) folder(id lift.InstanceID) string {
	return filepath.Join(h.Dir, "instances", string(id))
}

func (h *Host) tombstone(id lift.InstanceID) string {
	return filepath.Join(h.Dir, "stopped", string(id))
}

func (h *Host) Start(ctx context.Context, s host.Spec) (err error) {
	if err := s.Check(); err != nil {
		return err
	}
	done, err := h.take(ctx, s.ID)
	if err != nil {
		return err
	}
	defer done()
	if _, err := os.Lstat(h.tombstone(s.ID)); err == nil {
		return nil
	}
	dir := h.folder(s.ID)
	held, err := h.settled(ctx, dir)
	if err != nil || held || host.Started(dir) {
		return err
	}
	if err := h.forget(s.ID); err != nil { // what an earlier try left
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("starting instance %s: %w", s.ID, err), h.end(s.ID))
		}
	}()
	rec := record{ID: s.ID, Mode: h.mode, Address: h.Address, Created: time.Now().UTC()}
	if h.mode == Isolated {
		if rec.Address, err = h.reserve(s.ID); err != nil {
			return err
		}
	}
	if err := prepare(dir, s, rec); err != nil {
		return err
	}
	return h.spawn(ctx, dir, s, rec)
}

// settled says whether an anchor holds the folder. One that was still waiting
// for its starter when that died ends by itself; it is waited for.
func (h *Host) settled(ctx context.Context, dir string) (bool, error) {
	for {
		held, err := host.Held(dir)
		if err != nil || !held || host.Started(dir) {
			return held, err
		}
		select {
		case <-ctx.Done():
			return false, ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// prepare writes what the agent finds in its folder.
func prepare(dir string, s host.Spec, rec record) error {
	for _, sub := range []string{host.GameName, host.MetaName} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			return err
		}
	}
	text, err := json.Marshal(rec)
	if err != nil {
		return err
	}
	return errors.Join(
		os.WriteFile(filepath.Join(dir, host.TokenName), []byte(s.Token), 0o600),
		os.WriteFile(filepath.Join(dir, recordName), text, 0o600),
	)
}

func (h *Host) Stop(ctx context.Context, id lift.InstanceID) error {
	if err := (host.Spec{ID: id, Server: "-"}).Check(); err != nil {
		return err
	}
	done, err := h.take(ctx, id)
	if err != nil {
		return err
	}
	defer done()
	// A start that arrives late finds this and does nothing.
	if err := os.WriteFile(h.tombstone(id), nil, 0o600); err != nil {
		return err
	}
	if err := h.end(id); err != nil {
		return fmt.Errorf("stopping instance %s: %w", id, err)
	}
	return nil
}

// end kills what runs of an instance and forgets it.
func (h *Host) end(id lift.InstanceID) error {
	if err := h.kill(h.folder(id), id); err != nil {
		return err
	}
	return h.forget(id)
}

// forget removes what a dead instance left: on the machine, then its folder.
func (h *Host) forget(id lift.InstanceID) error {
	if err := h.release(id); err != nil {
		return err
	}
	dir := h.folder(id)
	if path, err := host.SocketPath(dir, host.SocketName); err == nil && !strings.HasPrefix(path, dir) {
		os.RemoveAll(filepath.Dir(path))
	}
	// Processes that end take a moment to let go of their files.
	var err error
	for range 50 {
		if err = os.RemoveAll(dir); err == nil {
			return nil
		}
		time.Sleep(20 * time.Millisecond)
	}
	return err
}

func (h *Host) List(ctx context.Context) ([]host.Instance, error) {
	records, err := h.records()
	if err != nil {
		return nil, err
	}
	var list []host.Instance
	for _, rec := range records {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		dir := h.folder(rec.ID)
		held, err := host.Held(dir)
		if err != nil {
			return nil, err
		}
		if !host.Started(dir) {
			continue // being started, or the rest of a start that failed
		}
		in := host.Instance{ID: rec.ID, Address: rec.Address, State: host.Running}
		if !held {
			in.State = host.Exited
			in.Exit, _ = host.ReadExit(dir)
		}
		list = append(list, in)
	}
	return list, nil
}

// records reads what Dir remembers, by id.
func (h *Host) records() ([]record, error) {
	entries, err := os.ReadDir(filepath.Join(h.Dir, "instances"))
	if err != nil {
		return nil, err
	}
	var records []record
	for _, e := range entries {
		text, err := os.ReadFile(filepath.Join(h.Dir, "instances", e.Name(), recordName))
		if errors.Is(err, fs.ErrNotExist) {
			continue // being started or stopped
		}
		if err != nil {
			return nil, err
		}
		var rec record
		if err := json.Unmarshal(text, &rec); err != nil || string(rec.ID) != e.Name() {
			continue // cut off while being written: its start never came to run
		}
		records = append(records, rec)
	}
	return records, nil
}

// tombstoneLife is how long a start that arrives late is remembered to be late.
const tombstoneLife = 24 * time.Hour

// sweep clears away what dead instances left: folders of starts that never
// came to run, old tombstones, and what lies about on the machine.
func (h *Host) sweep() error {
	entries, err := os.ReadDir(filepath.Join(h.Dir, "instances"))
	if err != nil {
		return err
	}
	kept := map[lift.InstanceID]bool{}
	for _, e := range entries {
		id, dir := lift.InstanceID(e.Name()), filepath.Join(h.Dir, "instances", e.Name())
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		held, err := h.settled(ctx, dir)
		cancel()
		if errors.Is(err, context.DeadlineExceeded) { // stuck: its Stop will say so
			held, err = true, nil
		}
		if err != nil {
			return err
		}
		switch {
		case held, host.Started(dir):
			kept[id] = held
			if !held {
				if err := h.release(id); err != nil { // the folder stays until Stop
					return err
				}
			}
		default:
			if err := h.forget(id); err != nil {
				return err
			}
		}
	}
	stopped, err := os.ReadDir(filepath.Join(h.Dir, "stopped"))
	if err != nil {
		return err
	}
	for _, e := range stopped {
		if info, err := e.Info(); err == nil && time.Since(info.ModTime()) > tombstoneLife {
			os.Remove(filepath.Join(h.Dir, "stopped", e.Name()))
		}
	}
	return h.sweepSystem(kept)
}

// A turn lets one call at a time act on an instance.
type turn struct {
	free    chan struct{} // holds one token when nobody acts
	waiting int
}

func (h *Host) take(ctx context.Context, id lift.InstanceID) (done func(), err error) {
	h.mu.Lock()
	t := h.turns[id]
	if t == nil {
		t = &turn{free: make(chan struct{}, 1)}
		t.free <- struct{}{}
		h.turns[id] = t
	}
	t.waiting++
	h.mu.Unlock()
	leave := func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		if t.waiting--; t.waiting == 0 {
			delete(h.turns, id)
		}
	}
	if err := ctx.Err(); err != nil {
		leave()
		return nil, err
	}
	select {
	case <-t.free:
		return func() { t.free <- struct{}{}; leave() }, nil
	case <-ctx.Done():
		leave()
		return nil, ctx.Err()
	}
}
