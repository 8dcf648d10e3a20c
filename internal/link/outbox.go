package link

import (
	"cmp"
	"container/list"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/chairlift-games/chairlift/internal/lift"
)

// Ticket names an event reported to an AgentEnd, before it has its number.
type Ticket uint64

// TicketReply is the reply to an event that wanted one.
type TicketReply struct {
	Ticket Ticket
	Reply  lift.Reply
}

// Why an event is not taken.
var (
	ErrFull     = errors.New("link: too many events wait for the service")
	ErrTooLarge = errors.New("link: the event is too large")
)

// outbox keeps the events of an agent until the service is done with them:
// those without a reply until they are handled, the others until the reply is
// there.
//
// An event gets its number when it first goes into a frame. Until then a later
// one may take its place, so that an hour without the service does not fill
// the outbox with the flapping of one process.
type outbox struct {
	maxEvents, maxBytes int
	count, bytes        int // of waiting and sent

	waiting *list.List               // of *outgoing, without a number
	latest  map[string]*list.Element // those in waiting that a later one can replace

	sent   []*outgoing // numbered, ascending; from acked+1 on without a gap
	next   int         // in sent: the first to send on this connection
	last   uint64      // highest number given
	acked  uint64      // the service has handled events up to here
	flight int         // bytes sent on this connection beyond acked

	windowEvents, windowBytes int
	frameEvents, frameBytes   int

	tickets Ticket
	replies []TicketReply
}

type outgoing struct {
	ticket   Ticket
	seq      uint64
	body     []byte // encoded
	key      string // in latest, or empty
	ask      bool
	answered bool
}

func newOutbox(maxEvents, maxBytes int) outbox {
	return outbox{
		maxEvents: maxEvents, maxBytes: maxBytes,
		frameEvents: frameEvents, frameBytes: frameBytes,
		waiting: list.New(), latest: map[string]*list.Element{},
	}
}

func (o *outbox) add(ev lift.Event) (Ticket, error) {
	body, err := json.Marshal(ev)
	if err != nil {
		return 0, fmt.Errorf("link: encode an event: %w", err)
	}
	if len(body) > eventMaxBytes {
		return 0, fmt.Errorf("%w: %d bytes of at most %d", ErrTooLarge, len(body), eventMaxBytes)
	}
	key, same := replaceable(&ev)
	old := o.latest[key]
	count, size := o.count, o.bytes
	if old != nil {
		if prev := old.Value.(*outgoing); o.full(count, size+len(body)) || same(prev.body) {
			count, size = count-1, size-len(prev.body)
		} else {
			old = nil
		}
	}
	if o.full(count, size+len(body)) {
		return 0, ErrFull
	}
	if old != nil {
		o.forget(old)
	}
	o.tickets++
	el := o.waiting.PushBack(&outgoing{ticket: o.tickets, body: body, key: key, ask: ev.WantsReply()})
	if key != "" {
		o.latest[key] = el
	}
	o.count++
	o.bytes += len(body)
	return o.tickets, nil
}

// full reports whether one more event, which makes it that many bytes, has no
// place beside count others. Alone, any has.
func (o *outbox) full(count, bytes int) bool {
	return count > 0 && (count >= o.maxEvents || bytes > o.maxBytes)
}

func (o *outbox) forget(el *list.Element) {
	old := o.waiting.Remove(el).(*outgoing)
	delete(o.latest, old.key)
	o.count--
	o.bytes -= len(old.body)
}

// replaceable returns the name under which a later event takes the place of
// ev while it waits, empty for an event that nothing replaces, and whether it
// does so with place to spare: a health word always, a notice then only if it
// says the same.
func replaceable(ev *lift.Event) (key string, same func(body []byte) bool) {
	switch {
	case ev.ProcessHealth != nil:
		return "health/" + string(ev.ProcessHealth.ProcessID), func([]byte) bool { return true }
	case ev.Notice != nil:
		return "notice/" + string(ev.Notice.Code), func(body []byte) bool {
			var old struct{ Notice lift.Notice }
			_ = json.Unmarshal(body, &old) // it was marshalled here
			return old.Notice == *ev.Notice
		}
	}
	return "", nil
}

// resume begins a connection at what the service has handled. A window of 0
// is ours to choose.
func (o *outbox) resume(lastEvent uint64, events, bytes int) {
	o.windowEvents, o.windowBytes = events, bytes
	if events <= 0 {
		o.windowEvents = windowEvents
	}
	if bytes <= 0 {
		o.windowBytes = windowBytes
	}
	o.acked = lastEvent
	o.flight = 0
	o.trim()
	o.next = 0
}

// acknowledge takes what came of a batch; upTo is 0 if more of it follows.
func (o *outbox) acknowledge(upTo uint64, replies []NumberedReply) error {
	if upTo > o.last {
		return protocol("an acknowledgement of event %d, sent are %d", upTo, o.last)
	}
	for _, r := range replies {
		i, ok := slices.BinarySearchFunc(o.sent, r.Seq, func(e *outgoing, seq uint64) int {
			return cmp.Compare(e.seq, seq)
		})
		// The stored reply comes again for a repeated question.
		if !ok || !o.sent[i].ask || o.sent[i].answered {
			continue
		}
		o.sent[i].answered = true
		o.replies = append(o.replies, TicketReply{o.sent[i].ticket, r.Reply})
	}
	if upTo > o.acked {
		// What a late transaction of an earlier connection handled was not
		// sent on this one, and need not be.
		from, to := o.index(o.acked+1), o.index(upTo+1)
		for _, e := range o.sent[from:max(from, min(to, o.next))] {
			o.flight -= len(e.body)
		}
		o.acked = upTo
	}
	o.trim()
	return nil
}

// index returns where in sent the first event numbered seq or higher is, for
// a seq from acked+1 to last+1.
func (o *outbox) index(seq uint64) int { return len(o.sent) - int(o.last+1-seq) }

// trim drops the events at the front that the service is done with.
func (o *outbox) trim() {
	n := 0
	for n < len(o.sent) && o.done(o.sent[n]) {
		o.count--
		o.bytes -= len(o.sent[n].body)
		o.sent[n] = nil
		n++
	}
	o.sent = o.sent[n:]
	o.next = max(0, o.next-n)
}

func (o *outbox) done(e *outgoing) bool { return e.seq <= o.acked && (e.answered || !e.ask) }

// read returns the number up to which every reply has arrived.
func (o *outbox) read() uint64 {
	if len(o.sent) > 0 { // it waits for its reply, or is acked+1
		return o.sent[0].seq - 1
	}
	return o.acked
}

func (o *outbox) settled() bool { return o.waiting.Len() == 0 && o.acked == o.last }

// compose puts as many events into a frame as the window and the size of a
// frame allow: first what is to be sent again, then what waits for its number.
func (o *outbox) compose(c *composer) {
	n := 0
	for n < o.frameEvents && len(c.buf) < o.frameBytes {
		if o.next == len(o.sent) && !o.number() {
			break
		}
		e := o.sent[o.next]
		if o.done(e) {
			o.next++
			continue
		}
		if e.seq > o.acked {
			if !o.fits(e.seq, len(e.body)) {
				break
			}
			o.flight += len(e.body)
		}
		c.item("events", n)
		c.numbered(e.seq, e.ask, e.body)
		o.next++
		n++
	}
	c.endList(n)
}

// fits reports whether the window has room for an event. Alone, any has.
func (o *outbox) fits(seq uint64, bytes int) bool {
	return o.flight == 0 || seq-o.acked <= uint64(o.windowEvents) && o.flight+bytes <= o.windowBytes
}

// number gives the next waiting event its number, unless the window is used
// up: without one it can still be replaced.
func (o *outbox) number() bool {
	el := o.waiting.Front()
	if el == nil {
		return false
	}
	e := el.Value.(*outgoing)
	if !o.fits(o.last+1, len(e.body)) {
		return false
	}
	o.waiting.Remove(el)
	if o.latest[e.key] == el {
		delete(o.latest, e.key)
	}
	o.last++
	e.seq = o.last
	o.sent = append(o.sent, e)
	return true
}
