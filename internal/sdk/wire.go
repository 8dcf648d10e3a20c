package sdk

import (
	"context"
	"sync"
	"time"

	"github.com/coder/websocket"
)

// wire is the shell's end of one socket: a reader, which is the goroutine of
// its HTTP request, and a writer. It speaks generation 5.
type wire struct {
	id      SocketID
	process Process
	door    *Door
	verdict chan *Refusal // one, from the core

	wake   chan struct{} // the outbox has something
	mu     sync.Mutex    // guards what follows; taken after Door.mu
	outbox []outgoing
	full   bool // nothing is accepted any more
}

// outgoing is one of its members.
type outgoing struct {
	reply *SendReply
	push  *SendPush
	drop  *dropping
}

type dropping struct {
	code   int
	reason string
}

// send queues a frame. A client that reads so slowly that the queue overflows
// loses its socket; pushes and answers then wait for its next.
func (w *wire) send(o outgoing) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.full {
		return
	}
	if len(w.outbox) >= maxOutboxItems && o.drop == nil {
		o = outgoing{drop: &dropping{closeRestart, "the client reads too slowly"}}
	}
	w.outbox = append(w.outbox, o)
	w.full = o.drop != nil
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

func (w *wire) drop(code int, reason string) {
	w.send(outgoing{drop: &dropping{code, reason}})
}

// run lives as long as the socket.
func (w *wire) run(conn *websocket.Conn) {
	ctx, cancel := context.WithCancel(w.door.ctx)
	defer conn.CloseNow()
	conn.SetReadLimit(maxFrameBytes)

	var others sync.WaitGroup
	defer others.Wait()
	defer cancel()
	written := make(chan uint64, 1) // the last number written and not asked about
	others.Go(func() { w.write(ctx, conn, written) })
	others.Go(func() { w.confirm(ctx, conn, written) })
	w.door.step(Opened{w.id})
	for {
		kind, frame, err := conn.Read(ctx)
		if err != nil {
			w.door.log.Debug("socket closed", "process", w.process, "socket", w.id, "code", websocket.CloseStatus(err), "error", err)
			return
		}
		if kind != websocket.MessageText {
			w.door.log.Warn("ignored a binary frame", "process", w.process)
			continue
		}
		got := DecodeFrame5(frame)
		got.Socket = w.id
		if got.RequestID == "" && got.Err != nil {
			w.door.log.Warn("ignored a frame", "process", w.process, "reason", got.Err.Message)
			continue
		}
		w.door.step(got)
	}
}

// write empties the outbox until the socket ends.
func (w *wire) write(ctx context.Context, conn *websocket.Conn, written chan uint64) {
	for {
		select {
		case <-w.wake:
		case <-ctx.Done():
			return
		}
		w.mu.Lock()
		batch := w.outbox
		w.outbox = nil
		w.mu.Unlock()

		var last uint64 // number of the batch
		for _, o := range batch {
			var err error
			switch {
			case o.reply != nil:
				err = w.writeFrame(ctx, conn, EncodeReply5(*o.reply))
				last = max(last, o.reply.Number)
			case o.push != nil:
				err = w.writeFrame(ctx, conn, EncodePush5(o.push.Push))
				last = max(last, o.push.Number)
			case o.drop != nil:
				conn.Close(websocket.StatusCode(o.drop.code), o.drop.reason)
				return
			}
			if err != nil {
				conn.CloseNow() // the reader notices and reports
				return
			}
		}
		if last != 0 {
			select {
			case <-written: // an older number says less
			default:
			}
			written <- last
		}
	}
}

func (w *wire) writeFrame(ctx context.Context, conn *websocket.Conn, frame []byte) error {
	ctx, cancel := context.WithTimeout(ctx, writeLimit)
	defer cancel()
	return conn.Write(ctx, websocket.MessageText, frame)
}

// confirm learns which frames the client's socket has read: its pong to a ping
// comes behind them. It asks a little later, about all that was written by then.
// A pong at once would slow down the C++ SDK: it sends small packets only when
// the one before is acknowledged, so its next call would wait for that, 40 ms.
func (w *wire) confirm(ctx context.Context, conn *websocket.Conn, written chan uint64) {
	for {
		select {
		case <-ctx.Done():
			return
		case number := <-written:
			if !pause(ctx, confirmDelay) {
				return
			}
			select {
			case number = <-written:
			default:
			}
			limited, cancel := context.WithTimeout(ctx, confirmLimit)
			err := conn.Ping(limited)
			cancel()
			if ctx.Err() != nil {
				return
			}
			w.door.step(Confirmed{Socket: w.id, Number: number, OK: err == nil})
		}
	}
}

// pause waits; false if ctx ended first.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
