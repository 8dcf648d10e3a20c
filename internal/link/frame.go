package link

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/chairlift-games/chairlift/internal/lift"
)

// The version of the protocol that this release speaks, and the oldest it
// still understands: that of the release before. An end says its newest; they
// speak the lower of the two.
const (
	version       = 1
	oldestVersion = 1
)

// Limits of a conversation. The service tells its window in the welcome, so
// it can be changed without the agents; the others each end keeps for itself.
const (
	beatEvery = 5 * time.Second  // the longest pause between two frames
	silence   = 15 * time.Second // without a frame, the connection counts as lost

	eventMaxBytes     = 256 << 10 // one event, encoded
	frameEvents       = 256       // events in a frame
	frameBytes        = 512 << 10 // a frame is closed beyond this size
	agentFrameBytes   = 1 << 20   // largest frame that the service takes
	serviceFrameBytes = 32 << 20  // largest frame that an agent takes: a reply may describe 1024 players
	frameGot          = 1024      // acknowledged commands in a frame
	windowEvents      = 1024      // events sent and not acknowledged
	windowBytes       = 4 << 20   // the same, encoded
	windowCommands    = 256       // commands sent and not acknowledged, on one connection
	queueCommands     = 4096      // commands waiting for that window; beyond it the connection is dropped and resumed
	batchEvents       = 256       // events in a Batch
	bufferEvents      = 16 << 10  // events that an agent keeps until they are handled
	bufferBytes       = 16 << 20  // the same, encoded
	waitingCommands   = 4096      // commands that an agent's owner has not taken yet
	rememberCommands  = 4096      // commands that an agent remembers after the service confirmed their removal
)

// frame is one WebSocket text message, in either direction. Members that do
// not concern it are left out, and those of a newer release ignored; a frame
// without any is a heartbeat.
type frame struct {
	Hello   *hello          `json:"hello"`  // agent: its first frame
	Events  []Numbered      `json:"events"` // agent
	Got     []lift.EffectID `json:"got"`    // agent: commands its owner has taken
	Read    uint64          `json:"read"`   // agent: replies up to here have arrived
	Welcome *welcome        `json:"welcome"`
	Ack     *ackFrame       `json:"ack"`      // service
	Command []lift.Effect   `json:"commands"` // service
}

type hello struct {
	Version  int             `json:"version"`          // the newest the agent speaks
	Oldest   int             `json:"oldest,omitempty"` // the oldest; Version if left out
	Instance lift.InstanceID `json:"instance"`
}

type welcome struct {
	Version   int    `json:"version"` // what is spoken from here on
	LastEvent uint64 `json:"lastEvent"`
	// How much may be under way without an acknowledgement; 0 leaves it to the agent.
	WindowEvents int `json:"windowEvents,omitempty"`
	WindowBytes  int `json:"windowBytes,omitempty"`
}

type ackFrame struct {
	UpTo    uint64          `json:"upTo,omitempty"` // 0 when the replies go on in the next frame
	Replies []NumberedReply `json:"replies,omitempty"`
	Got     []lift.EffectID `json:"got,omitempty"` // commands that will not be sent again
}

// decode reads a frame. What it returns holds no part of data.
func decode(data []byte) (frame, error) {
	var f frame
	if err := json.Unmarshal(data, &f); err != nil {
		return frame{}, fmt.Errorf("%w: %w", ErrProtocol, err)
	}
	return f, nil
}

// What makes an end drop its connection. The agent connects again.
var (
	ErrProtocol = errors.New("link: the other end does not keep to the protocol")
	ErrSilent   = fmt.Errorf("link: the other end has been silent for %v", silence)
	ErrVersion  = errors.New("link: no common version")
	ErrBehind   = errors.New("link: too many commands wait for this agent")
)

func protocol(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrProtocol, fmt.Sprintf(format, args...))
}

// heartbeat is a frame that says nothing.
var heartbeat = []byte("{}")

// pulse knows when an end has to say something, and when the other one has
// been silent for too long.
type pulse struct{ said, heard time.Time }

func (p *pulse) silent(now time.Time) bool { return now.Sub(p.heard) >= silence }

// next returns what an end has composed, or a heartbeat when it is time for
// one, or nil and when to ask again if there is no news before.
func (p *pulse) next(now time.Time, c *composer) (frame []byte, due time.Time, err error) {
	switch {
	case c.err != nil:
		return nil, time.Time{}, fmt.Errorf("link: encode: %w", c.err)
	case len(c.buf) > 0:
		frame, p.said = append(c.buf, '}'), now
	case now.Sub(p.said) >= beatEvery:
		frame, p.said = heartbeat, now
	}
	due = p.said.Add(beatEvery)
	if end := p.heard.Add(silence); end.Before(due) {
		due = end
	}
	return frame, due, nil
}

// composer writes a frame member by member.
type composer struct {
	buf []byte
	err error // of the first value that could not be encoded
}

// member opens the member of that name.
func (c *composer) member(name string) {
	switch {
	case len(c.buf) == 0:
		c.buf = append(make([]byte, 0, 512), '{')
	case c.buf[len(c.buf)-1] != '{':
		c.buf = append(c.buf, ',')
	}
	c.buf = append(c.buf, '"')
	c.buf = append(c.buf, name...)
	c.buf = append(c.buf, '"', ':')
}

// item begins item n of the list of that name, and ends the one before.
func (c *composer) item(name string, n int) {
	if n > 0 {
		c.buf = append(c.buf, ',')
		return
	}
	c.member(name)
	c.buf = append(c.buf, '[')
}

// endList ends a list of n items; one of none was never begun.
func (c *composer) endList(n int) {
	if n > 0 {
		c.buf = append(c.buf, ']')
	}
}

// value adds a member holding v.
func (c *composer) value(name string, v any) {
	c.member(name)
	c.encode(v)
}

// encode appends v.
func (c *composer) encode(v any) {
	b, err := json.Marshal(v)
	c.buf, c.err = append(c.buf, b...), cmp.Or(c.err, err)
}

// numbered appends an encoded event under its number.
func (c *composer) numbered(seq uint64, ask bool, body []byte) {
	c.buf = append(c.buf, `{"seq":`...)
	c.buf = strconv.AppendUint(c.buf, seq, 10)
	if ask {
		c.buf = append(c.buf, `,"ask":true`...)
	}
	c.buf = append(c.buf, `,"event":`...)
	c.buf = append(c.buf, body...)
	c.buf = append(c.buf, '}')
}
