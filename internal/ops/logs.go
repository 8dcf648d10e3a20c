package ops

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"hash/fnv"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/chairlift-games/chairlift/api"
	"github.com/chairlift-games/chairlift/internal/lift"
	"github.com/chairlift-games/chairlift/internal/store"
)

// Logs are what agents sent of the output of processes and of the stages of an
// instance, under the names INSTANCE/PROCESS and INSTANCE/STAGE.
type Logs interface {
	// List returns the names that begin with prefix, sorted.
	List(ctx context.Context, prefix string) ([]string, error)
	// ReadAt reads from the named log as an io.ReaderAt does: fewer bytes than
	// asked for come with io.EOF. A log that is not there is empty.
	ReadAt(ctx context.Context, name string, p []byte, off int64) (int, error)
}

const (
	linesDefault = 1000
	linesMax     = 10_000
	logChunk     = 64 << 10 // read of one log for one answer; also the longest line
	logsAtOnce   = 60       // of one fleet or instance: a position has to fit into 1,024 characters
)

// ReadLogs answers with what is new since the position After, log by log. Of a
// resource with very many logs it reads the newest.
func (s *Service) ReadLogs(ctx context.Context, in *api.ReadLogsInput) (*api.ReadLogsOutput, error) {
	c := s.caller(ctx)
	if s.o.Logs == nil {
		return nil, invalid("this service keeps no logs")
	}
	p, err := s.page(c, nil, in.After, "ReadLogs", in.ResourceId)
	if err != nil {
		return nil, invalid("After must be the Next of an earlier answer about the same resource; leave it out to read from the beginning")
	}
	prefixes, err := read(ctx, s, func(tx store.Tx) ([]string, error) { return c.logsOf(tx, in.ResourceId) })
	if err != nil {
		return nil, err
	}
	var names []string
	for _, prefix := range prefixes {
		found, err := s.o.Logs.List(ctx, prefix)
		if err != nil {
			return nil, err
		}
		names = append(names, found...)
	}
	names = names[max(0, len(names)-logsAtOnce):]
	places := openPlaces(p.after.ID)
	limit := min(or(in.Limit, linesDefault), linesMax)
	out := &api.ReadLogsOutput{}
	for _, name := range names {
		if len(out.Lines) == limit {
			break
		}
		lines, next, err := s.readLog(ctx, name, places[place(name)], limit-len(out.Lines))
		if err != nil {
			return nil, err
		}
		out.Lines = append(out.Lines, lines...)
		places[place(name)] = next
	}
	out.Next = p.token(store.Cursor{ID: sealPlaces(names, places)})
	return out, nil
}

// GetGameSessionLogUrl makes a link to what the session's server process wrote,
// also while it writes. (Files that a server names in ProcessReady are not
// collected yet.)
func (s *Service) GetGameSessionLogUrl(ctx context.Context, in *api.GetGameSessionLogUrlInput) (*api.GetGameSessionLogUrlOutput, error) {
	c := s.caller(ctx)
	gs, err := read(ctx, s, func(tx store.Tx) (*lift.GameSession, error) { return c.session(tx, in.GameSessionId) })
	if err != nil {
		return nil, err
	}
	log := string(gs.InstanceID) + "/" + string(gs.ProcessID)
	if s.o.Logs != nil && s.o.LogURL != nil {
		n, err := s.o.Logs.ReadAt(ctx, log, make([]byte, 1), 0)
		if n > 0 {
			return &api.GetGameSessionLogUrlOutput{PreSignedUrl: opt(s.o.LogURL(c.Caller, log))}, nil
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
	}
	return nil, lift.Errorf(lift.NotFound, "there are no logs of game session %s (yet): its server wrote nothing", gs.ID)
}

// readLog returns up to limit lines of a log from off on, and where the rest
// begins. A last line without an end is left for later while more may come.
func (s *Service) readLog(ctx context.Context, name string, off int64, limit int) ([]api.LogLine, int64, error) {
	buf := make([]byte, logChunk)
	n, err := s.o.Logs.ReadAt(ctx, name, buf, off)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, off, err
	}
	_, process, _ := strings.Cut(name, "/")
	var lines []api.LogLine
	for rest := buf[:n]; len(rest) > 0 && len(lines) < limit; {
		line, after, ended := bytes.Cut(rest, []byte{'\n'})
		switch {
		case ended:
		case n < logChunk:
			if more, err := s.mayGrow(ctx, process); err != nil || more {
				return lines, off, err
			}
		case len(lines) > 0:
			return lines, off, nil // it begins the next chunk
		default:
			line = whole(line) // a line longer than a chunk comes in pieces
		}
		if off += int64(len(line)); ended {
			off++
		}
		rest = after
		text := strings.ToValidUTF8(strings.TrimSuffix(string(line), "\r"), "\uFFFD")
		lines = append(lines, api.LogLine{ProcessId: opt(process), Text: &text})
	}
	return lines, off, nil
}

// whole cuts off a character at the end that is not there whole.
func whole(b []byte) []byte {
	for i := 1; i < utf8.UTFMax && i < len(b); i++ {
		if tail := b[len(b)-i:]; utf8.RuneStart(tail[0]) {
			if !utf8.FullRune(tail) {
				return b[:len(b)-i]
			}
			break
		}
	}
	return b
}

// mayGrow reports whether a process lives, so that it may end its last line.
func (s *Service) mayGrow(ctx context.Context, process string) (bool, error) {
	return read(ctx, s, func(tx store.Tx) (bool, error) {
		p, ok, err := store.Processes.Get(tx, process)
		return ok && p.State != lift.ProcessGone, err
	})
}

// logsOf returns the prefixes of the names of the logs of a fleet, an instance,
// a process or a game session.
func (c caller) logsOf(tx store.Tx, id string) ([]string, error) {
	switch {
	case strings.Contains(id, ":gamesession/"):
		gs, err := c.session(tx, id)
		if err != nil {
			return nil, err
		}
		return []string{string(gs.InstanceID) + "/" + string(gs.ProcessID)}, nil
	case strings.HasPrefix(id, "fleet-") || strings.HasPrefix(id, "arn:"):
		f, err := c.lateFleet(tx, id)
		if err != nil {
			return nil, err
		}
		return logsOfFleet(tx, f.ID)
	case strings.HasPrefix(id, "i-"):
		i, err := find(c, tx, store.Instances, id, id, func(i *lift.Instance) bool { return i.Region == c.Region })
		if err != nil {
			return nil, err
		}
		return []string{string(i.ID) + "/"}, nil
	}
	p, err := c.process(tx, id)
	if err != nil {
		return nil, err
	}
	return []string{string(p.InstanceID) + "/" + string(p.ID)}, nil
}

// logsOfFleet finds instances that live, and those gone that an event tells of.
func logsOfFleet(tx store.Tx, f lift.FleetID) ([]string, error) {
	is, err := store.Instances.All(tx, "fleet", string(f)+"/")
	if err != nil {
		return nil, err
	}
	evs, err := store.Events.All(tx, "fleet", string(f)+"/")
	if err != nil {
		return nil, err
	}
	var prefixes []string
	for _, i := range is {
		prefixes = append(prefixes, string(i.ID)+"/")
	}
	for _, ev := range evs {
		if i, _, ok := strings.Cut(ev.Log, "/"); ok {
			prefixes = append(prefixes, i+"/")
		}
	}
	slices.Sort(prefixes)
	return slices.Compact(prefixes), nil
}

// A position in several logs holds, for each, a digest of its name and how far
// it was read. Logs that came since are read from their beginning.

func place(name string) uint32 {
	h := fnv.New32a()
	h.Write([]byte(name))
	return h.Sum32()
}

func sealPlaces(names []string, places map[uint32]int64) string {
	var b []byte
	for _, name := range names {
		if at := places[place(name)]; at > 0 {
			b = binary.BigEndian.AppendUint32(b, place(name))
			b = binary.AppendUvarint(b, uint64(at))
		}
	}
	return string(b)
}

func openPlaces(s string) map[uint32]int64 {
	places := map[uint32]int64{}
	for b := []byte(s); len(b) > 4; {
		at, n := binary.Uvarint(b[4:])
		if n <= 0 {
			break
		}
		places[binary.BigEndian.Uint32(b)] = int64(at)
		b = b[4+n:]
	}
	return places
}
