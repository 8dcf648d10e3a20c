package matcher

import (
	"context"
	"maps"
	"slices"
	"time"
)

// stepped is a pool that Step drives.
type stepped struct {
	driver *driver
	at     time.Time // when it is to be driven next
}

// Step is Run for those who own the time: it does one thing, and returns when
// there is another to do unless a ticket arrives before (engine.Arrived). What
// Run's goroutines do at the same time happens in some order here, with room in
// between for whatever else happens. A Matcher either runs or is stepped.
func (m *Matcher) Step(ctx context.Context) (next time.Time, err error) {
	now := m.engine.Now()
	if index := m.look(now); index != "" {
		m.lookAt = now.Add(sweepEvery)
		keys, err := m.configurations(ctx, index)
		for _, key := range keys {
			p := m.pools[key]
			if p == nil {
				p = &stepped{driver: newDriver(m.engine, m.log, key)}
				if m.pools == nil {
					m.pools = map[string]*stepped{}
				}
				m.pools[key] = p
			}
			p.at = now
		}
		return m.earliest(), err
	}
	for _, key := range slices.Sorted(maps.Keys(m.pools)) {
		p := m.pools[key]
		if p.at.After(now) {
			continue
		}
		more, next, err := p.driver.step(ctx)
		if !more {
			p.at = next
		}
		return m.earliest(), err
	}
	return m.earliest(), nil
}

// look returns the index in which to look for tickets, if it is time.
func (m *Matcher) look(now time.Time) string {
	select {
	case <-m.engine.Arrived():
		return "arriving"
	default:
	}
	if !now.Before(m.lookAt) {
		return "live"
	}
	return ""
}

func (m *Matcher) earliest() time.Time {
	at := m.lookAt
	for _, p := range m.pools {
		if p.at.Before(at) {
			at = p.at
		}
	}
	return at
}
