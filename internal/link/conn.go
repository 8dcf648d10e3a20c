package link

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/chairlift-games/chairlift/internal/lift"
	"github.com/coder/websocket"
)

const helloWithin = 10 * time.Second

var errStopping = errors.New("the service is stopping")

// conn is the shell around a ServiceEnd. Three goroutines share it: one
// reads, one handles batches, one writes. So heartbeats go both ways while a
// transaction takes its time, and the next batch is collected meanwhile.
type conn struct {
	hub *Hub
	id  lift.InstanceID

	ctx    context.Context // ends with the connection
	cancel context.CancelCauseFunc
	arrive chan struct{} // cap 1: something to handle
	news   chan struct{} // cap 1: something to write
	stop   <-chan struct{}
	drain  func() // closes stop: lets the batch in hand finish and be acknowledged, then ends

	mu      sync.Mutex
	core    *ServiceEnd
	flushed bool // nothing more will be handled: write what is there and close
}

// ending is the cause of the end of a conn's ctx, and what its close frame says.
type ending struct {
	code websocket.StatusCode
	error
}

func newConn(h *Hub, id lift.InstanceID) *conn {
	c := &conn{
		hub: h, id: id,
		arrive: make(chan struct{}, 1), news: make(chan struct{}, 1),
		core: NewServiceEnd(time.Now(), id),
	}
	c.ctx, c.cancel = context.WithCancelCause(context.Background())
	stop, drain := context.WithCancel(context.Background())
	c.stop, c.drain = stop.Done(), drain
	return c
}

// run holds the connection until it ends, and says why.
func (c *conn) run(ws *websocket.Conn) error {
	ws.SetReadLimit(agentFrameBytes)
	late := time.AfterFunc(helloWithin, func() {
		c.end(codeProtocol, protocol("no hello within %v", helloWithin))
	})
	defer late.Stop()
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := c.handle(late); err != nil {
			c.end(websocket.StatusTryAgainLater, err)
			return
		}
		c.mu.Lock()
		c.flushed = true
		c.mu.Unlock()
		wake(c.news)
	})
	wg.Go(func() {
		c.end(websocket.StatusGoingAway, c.write(ws))
		e := context.Cause(c.ctx).(ending)
		ws.Close(e.code, reason(e))
	})
	c.end(c.read(ws))
	wg.Wait()
	return context.Cause(c.ctx)
}

// end ends the connection for that reason, unless it has ended already.
func (c *conn) end(code websocket.StatusCode, err error) { c.cancel(ending{code, err}) }

func (c *conn) heard() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.core.Heard()
}

func (c *conn) send(effects []lift.Effect) {
	c.mu.Lock()
	err := c.core.Send(effects)
	c.mu.Unlock()
	if err != nil {
		c.end(websocket.StatusTryAgainLater, err)
		return
	}
	wake(c.news)
}

// read takes frames until the connection breaks or one is not accepted. It
// does not look at c.ctx: the writer closes the socket, and that ends it.
func (c *conn) read(ws *websocket.Conn) (websocket.StatusCode, error) {
	for {
		_, data, err := ws.Read(context.Background())
		if err != nil {
			return websocket.StatusNormalClosure, err
		}
		c.mu.Lock()
		err = c.core.Receive(time.Now(), data)
		c.mu.Unlock()
		if err != nil {
			return refusal(err), err
		}
		wake(c.arrive)
	}
}

// handle resumes the conversation and then handles batch after batch, until
// drain; then it returns nil.
func (c *conn) handle(late *time.Timer) error {
	svc, log := c.hub.o.Service, c.hub.o.Log
	for !c.greeted() {
		select {
		case <-c.ctx.Done():
			return context.Cause(c.ctx)
		case <-c.stop:
			return nil
		case <-c.arrive:
		}
	}
	late.Stop()
	last, pending, err := svc.Resume(c.ctx, c.id)
	if err != nil {
		return fmt.Errorf("resume: %w", err)
	}
	c.mu.Lock()
	c.core.Resume(last, pending)
	c.mu.Unlock()
	wake(c.news)
	log.Info("agent connected", "instance", c.id, "lastEvent", last, "commands", len(pending))
	for {
		c.mu.Lock()
		b, ok := c.core.Batch()
		c.mu.Unlock()
		if !ok {
			select {
			case <-c.ctx.Done():
				return context.Cause(c.ctx)
			case <-c.stop:
				return nil
			case <-c.arrive:
			}
			continue
		}
		ack, err := svc.Handle(c.ctx, c.id, b)
		if err != nil {
			return fmt.Errorf("handle: %w", err)
		}
		c.mu.Lock()
		unanswered, err := c.core.Handled(ack)
		c.mu.Unlock()
		if err != nil {
			return err
		}
		if len(unanswered) > 0 {
			log.Error("agent asked, the service has no reply", "instance", c.id, "events", unanswered)
		}
		wake(c.news)
		select {
		case <-c.stop:
			return nil
		default:
		}
	}
}

func (c *conn) greeted() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.core.Greeted()
}

// write sends what there is to say until the connection ends.
func (c *conn) write(ws *websocket.Conn) error {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		c.mu.Lock()
		data, due, err := c.core.Next(time.Now())
		flushed := c.flushed
		c.mu.Unlock()
		if err != nil {
			return err
		}
		if data != nil {
			// Not c.ctx: its end in the middle of a frame would break the
			// connection, and the other end would not learn why. After an error
			// the connection is broken, and the reader says how.
			ctx, cancel := context.WithTimeout(context.Background(), silence)
			_ = ws.Write(ctx, websocket.MessageText, data)
			cancel()
			continue
		}
		if flushed {
			return errStopping
		}
		timer.Reset(time.Until(due))
		select {
		case <-c.ctx.Done():
			return context.Cause(c.ctx)
		case <-timer.C:
		case <-c.news:
		}
	}
}

func wake(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// refusal is the code that says why a frame was not accepted, 0 for any other
// error.
func refusal(err error) websocket.StatusCode {
	switch {
	case errors.Is(err, ErrVersion):
		return codeVersion
	case errors.Is(err, ErrProtocol):
		return codeProtocol
	}
	return 0
}

// reason cuts err to what a close frame holds: 123 bytes.
func reason(err error) string { return truncate(err.Error(), 123) }
