package sqldb

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/chairlift-games/chairlift/internal/store"
)

const (
	// notifyPause is the least time between two wake-ups for other servers, so
	// that a busy server sends one for many commits.
	notifyPause = 5 * time.Millisecond
	listenPause = 500 * time.Millisecond // after a connection that broke
	listenCheck = time.Minute            // a silent connection is tried at this age
)

// herald carries wake-ups between the servers of one database, on connections
// of its own: a notification in the transaction of a commit would make all
// commits of all servers wait for each other. What it loses is harmless, as
// readers of store.Watch look at the clock, too.
type herald struct {
	config *pgx.ConnConfig
	id     string // of this server
	news   chan struct{}

	cancel context.CancelFunc
	wg     sync.WaitGroup
}

// listen begins to hear of the commits of other servers, and to tell them of
// ours.
func (s *Store) listen(config *pgx.ConnConfig) error {
	ctx, cancel := context.WithCancel(context.Background())
	h := &herald{config: config, id: s.writer.id, news: make(chan struct{}, 1), cancel: cancel}
	c, err := h.listen(ctx)
	if err != nil {
		cancel()
		return err
	}
	s.herald = h
	h.wg.Go(func() { h.tell(ctx) })
	h.wg.Go(func() {
		h.hear(ctx, c, func() {
			s.elsewhere.Wake()
			s.Wake()
		})
	})
	return nil
}

// committed notes that there is something to tell. It does not block.
func (h *herald) committed() {
	select {
	case h.news <- struct{}{}:
	default:
	}
}

func (h *herald) close() {
	h.cancel()
	h.wg.Wait()
}

func (h *herald) connect(ctx context.Context) (*pgx.Conn, string, error) {
	c, err := pgx.ConnectConfig(ctx, h.config)
	if err != nil {
		return nil, "", err
	}
	// Notifications are the database's and tables a schema's.
	var schema string
	if err := c.QueryRow(ctx, "SELECT current_schema()::text").Scan(&schema); err != nil {
		_ = c.Close(ctx)
		return nil, "", err
	}
	sum := sha256.Sum256([]byte(schema))
	return c, "chairlift_" + hex.EncodeToString(sum[:8]), nil
}

// tell sends a wake-up after commits, until ctx ends.
func (h *herald) tell(ctx context.Context) {
	var c *pgx.Conn
	var channel string
	defer func() {
		if c != nil {
			_ = c.Close(context.Background())
		}
	}()
	for {
		select {
		case <-ctx.Done():
			return
		case <-h.news:
		}
		var err error
		if c == nil {
			c, channel, err = h.connect(ctx)
		}
		if err == nil {
			_, err = c.Exec(ctx, "SELECT pg_notify($1, $2)", channel, h.id)
		}
		pause := notifyPause
		if err != nil {
			if c != nil {
				_ = c.Close(ctx)
				c = nil
			}
			pause = listenPause
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

// listen returns a connection to which notifications come.
func (h *herald) listen(ctx context.Context) (*pgx.Conn, error) {
	c, channel, err := h.connect(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := c.Exec(ctx, "LISTEN "+channel); err != nil {
		_ = c.Close(ctx)
		return nil, err
	}
	return c, nil
}

// hear calls wake when another server has committed, until ctx ends.
func (h *herald) hear(ctx context.Context, c *pgx.Conn, wake func()) {
	for {
		h.hearOn(ctx, c, wake)
		_ = c.Close(context.Background())
		for {
			select {
			case <-ctx.Done():
				return
			case <-time.After(listenPause):
			}
			var err error
			if c, err = h.listen(ctx); err == nil {
				break
			}
		}
		wake() // what was told meanwhile is lost
	}
}

// hearOn hears until the connection breaks.
func (h *herald) hearOn(ctx context.Context, c *pgx.Conn, wake func()) {
	for {
		wait, cancel := context.WithTimeout(ctx, listenCheck)
		n, err := c.WaitForNotification(wait)
		quiet := wait.Err() != nil
		cancel()
		switch {
		case err == nil && n.Payload != h.id:
			wake()
		case err == nil:
		case ctx.Err() != nil || !quiet || c.Ping(ctx) != nil:
			return
		}
	}
}

// Shared is store.Shared.Shared.
func (s *Store) Shared() bool { return s.herald != nil }

// Elsewhere is store.Shared.Elsewhere.
func (s *Store) Elsewhere(ctx context.Context) <-chan struct{} {
	if s.herald == nil {
		return nil
	}
	return s.elsewhere.Watch(ctx)
}

var _ store.Shared = (*Store)(nil)
