package link

import (
	"context"
	"errors"
	"io"

	"github.com/chairlift-games/chairlift/internal/lift"
)

// Service is what the hub speaks for. Its methods are called from many
// goroutines; Handle at most once at a time for one connection.
type Service interface {
	// Authenticate checks the token of an agent. A lift.Error of kind NotFound
	// says that the instance is gone for good, and ends its agent; of kind
	// Unauthorized that the token is wrong. After any other error the agent
	// tries again.
	Authenticate(ctx context.Context, id lift.InstanceID, token string) error

	// Resume is called once for each connection, before anything it carries is
	// handled. It returns the number of the last event handled, 0 for none, and
	// every command that the agent has not acknowledged, oldest first.
	Resume(ctx context.Context, id lift.InstanceID) (lastEvent uint64, pending []lift.Effect, err error)

	// Handle does one batch in one transaction: all of it or, with an error,
	// nothing. After an error of any kind the connection is closed and the agent
	// sends the batch again, so an event that makes no sense must be counted as
	// handled and not be an error, else it comes back for ever. So must an event
	// with no member set: a newer agent sent it.
	Handle(ctx context.Context, id lift.InstanceID, b Batch) (Ack, error)

	// Build opens the archive of the instance's build.
	Build(ctx context.Context, id lift.InstanceID) (io.ReadSeekCloser, error)

	// AppendLog writes r into the log key at offset and returns how many bytes
	// the log has now. Bytes before its end are skipped, not written again (see
	// [Tail]). When offset lies behind its end it writes nothing and returns
	// the size and ErrOffset.
	AppendLog(ctx context.Context, id lift.InstanceID, key string, offset int64, r io.Reader) (size int64, err error)
}

// Batch is what an agent said since the last one.
type Batch struct {
	// Events in ascending order. Those numbered up to the last handled are
	// repeats: they change nothing, and one that wants a reply gets the stored
	// one. The others follow the last handled without a gap.
	Events []Numbered
	// Got are commands that the agent has taken: they need not be sent again.
	// Unknown ids are repeats.
	Got []lift.EffectID
	// Read is a promise: replies to events up to this number have arrived and
	// can be forgotten. It only grows, but for repeats.
	Read uint64
}

// Ack is what came of a batch.
type Ack struct {
	// UpTo is the last event handled, now and ever; at least the last of the
	// batch.
	UpTo uint64
	// Replies holds the reply to each event of the batch that wants one and is
	// beyond Read, made in this transaction or stored by an earlier one. Others
	// may be among them: the agent ignores what it had already.
	Replies []NumberedReply
}

// Numbered is an event with its number, from 1 in each life of an agent.
type Numbered struct {
	Seq   uint64     `json:"seq"`
	Ask   bool       `json:"ask,omitempty"` // a reply is waited for, also by a kind of event unknown here
	Event lift.Event `json:"event"`
}

// NumberedReply is the reply to the event of that number.
type NumberedReply struct {
	Seq   uint64     `json:"seq"`
	Reply lift.Reply `json:"reply"`
}

// ErrOffset says that a log is shorter than the offset to append at.
var ErrOffset = errors.New("link: the log is shorter than the offset")

// Tail says what to append to a log of size bytes when asked to write r at
// offset: r without the bytes that the log has already, or ErrOffset when some
// in between are missing.
func Tail(size, offset int64, r io.Reader) (io.Reader, error) {
	if offset > size {
		return nil, ErrOffset
	}
	if _, err := io.CopyN(io.Discard, r, size-offset); err != nil && err != io.EOF {
		return nil, err
	}
	return r, nil
}
