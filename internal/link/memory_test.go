package link

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"github.com/chairlift-games/chairlift/internal/lift"
)

// memory is what a service keeps for one agent, as the contract of Service
// wants it.
type memory struct {
	last    uint64
	handled []lift.Event
	replies map[uint64]lift.Reply // stored, not read
	given   map[uint64]lift.Reply // every one ever made
	outbox  []lift.Effect
}

func newMemory() *memory {
	return &memory{replies: map[uint64]lift.Reply{}, given: map[uint64]lift.Reply{}}
}

func (m *memory) resume() (uint64, []lift.Effect) { return m.last, slices.Clone(m.outbox) }

func (m *memory) handle(b Batch) (Ack, error) {
	var a Ack
	for i := range b.Events {
		ev := &b.Events[i]
		switch {
		case ev.Seq == m.last+1:
			m.last++
			m.handled = append(m.handled, ev.Event)
			if ev.Event.WantsReply() {
				if m.given[ev.Seq].Status != 0 {
					return Ack{}, fmt.Errorf("event %d is answered twice", ev.Seq)
				}
				r := lift.Reply{Status: 200, Message: fmt.Sprintf("reply %d", ev.Seq)}
				m.replies[ev.Seq], m.given[ev.Seq] = r, r
			}
		case ev.Seq > m.last:
			return Ack{}, fmt.Errorf("event %d after %d", ev.Seq, m.last)
		}
		if r, ok := m.replies[ev.Seq]; ok {
			a.Replies = append(a.Replies, NumberedReply{ev.Seq, r})
		}
	}
	a.UpTo = m.last
	for seq := range m.replies {
		if seq <= b.Read {
			delete(m.replies, seq)
		}
	}
	for _, id := range b.Got {
		if i := slices.IndexFunc(m.outbox, func(e lift.Effect) bool { return e.ID == id }); i >= 0 {
			m.outbox = slices.Delete(m.outbox, i, i+1)
		}
	}
	return a, nil
}

// service is a Service of any number of agents, for the shells.
type service struct {
	mu     sync.Mutex
	agents map[lift.InstanceID]*memory
	logs   map[string][]byte
	build  []byte

	// before is called by each method, with its name, and may fail or wait.
	before func(ctx context.Context, method string) error
}

func newService() *service {
	return &service{agents: map[lift.InstanceID]*memory{}, logs: map[string][]byte{}}
}

func (s *service) enter(ctx context.Context, method string) error {
	s.mu.Lock()
	before := s.before
	s.mu.Unlock()
	if before == nil {
		return nil
	}
	return before(ctx, method)
}

func (s *service) set(before func(ctx context.Context, method string) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.before = before
}

func (s *service) of(id lift.InstanceID) *memory {
	if s.agents[id] == nil {
		s.agents[id] = newMemory()
	}
	return s.agents[id]
}

// command puts a command into the outbox of its agent, committed but not sent.
func (s *service) command(id lift.InstanceID, effect lift.EffectID) lift.Effect {
	s.mu.Lock()
	defer s.mu.Unlock()
	ef := lift.Effect{ID: effect, To: lift.ToAgent(id), Drain: &lift.Drain{Reason: string(effect)}}
	s.of(id).outbox = append(s.of(id).outbox, ef)
	return ef
}

func (s *service) handled(id lift.InstanceID) []lift.Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.of(id).handled)
}

func (s *service) Authenticate(ctx context.Context, id lift.InstanceID, token string) error {
	if err := s.enter(ctx, "Authenticate"); err != nil {
		return err
	}
	if token != "token of "+string(id) {
		return lift.Errorf(lift.Unauthorized, "wrong token")
	}
	return nil
}

func (s *service) Resume(ctx context.Context, id lift.InstanceID) (uint64, []lift.Effect, error) {
	if err := s.enter(ctx, "Resume"); err != nil {
		return 0, nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	last, pending := s.of(id).resume()
	return last, pending, nil
}

// errHalf from before lets Handle claim to be done when it is not.
var errHalf = errors.New("half done")

func (s *service) Handle(ctx context.Context, id lift.InstanceID, b Batch) (Ack, error) {
	switch err := s.enter(ctx, "Handle"); err {
	case nil:
	case errHalf:
		return Ack{}, nil
	default:
		return Ack{}, err
	}
	s.mu.Lock()
	a, err := s.of(id).handle(b)
	s.mu.Unlock()
	if err != nil {
		return a, err
	}
	return a, s.enter(ctx, "Handled") // committed, and then the answer may be lost
}

func (s *service) Build(ctx context.Context, _ lift.InstanceID) (io.ReadSeekCloser, error) {
	if err := s.enter(ctx, "Build"); err != nil {
		return nil, err
	}
	return nopCloser{bytes.NewReader(s.build)}, nil
}

type nopCloser struct{ io.ReadSeeker }

func (nopCloser) Close() error { return nil }

func (s *service) AppendLog(ctx context.Context, id lift.InstanceID, key string, offset int64, r io.Reader) (int64, error) {
	if err := s.enter(ctx, "AppendLog"); err != nil {
		return 0, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	name := string(id) + "/" + key
	size := int64(len(s.logs[name]))
	tail, err := Tail(size, offset, r)
	if errors.Is(err, ErrOffset) {
		return size, err
	}
	if err != nil {
		return 0, err
	}
	b, err := io.ReadAll(tail)
	s.logs[name] = append(s.logs[name], b...)
	if err != nil {
		return 0, err
	}
	return int64(len(s.logs[name])), s.enterLocked(ctx, "Appended")
}

// enterLocked is enter for a caller that holds mu.
func (s *service) enterLocked(ctx context.Context, method string) error {
	if s.before == nil {
		return nil
	}
	return s.before(ctx, method)
}
