package metrics

import (
	"bytes"
	"maps"
	"slices"
	"strings"
	"time"

	vm "github.com/VictoriaMetrics/metrics"

	"github.com/chairlift-games/chairlift/internal/lift"
	"github.com/chairlift-games/chairlift/internal/store"
)

// census is what the store holds at one moment: values by metric, and by the
// metric with its labels.
type census struct {
	now    time.Time
	values map[string]map[string]float64
}

func newCensus(now time.Time) *census { return &census{now, map[string]map[string]float64{}} }

func (c *census) add(metric string, n float64, labels ...string) {
	metric = "chairlift_" + snake(metric)
	if c.values[metric] == nil {
		c.values[metric] = map[string]float64{}
	}
	c.values[metric][name(metric, labels...)] += n
}

// write lists all values, sorted, each metric in one place.
func (c *census) write() []byte {
	out := bytes.NewBuffer([]byte{})
	for _, metric := range slices.Sorted(maps.Keys(c.values)) {
		vm.WriteMetadataIfNeeded(out, metric, "gauge")
		for _, series := range slices.Sorted(maps.Keys(c.values[metric])) {
			vm.WriteGaugeFloat64(out, series, c.values[metric][series])
		}
	}
	return out.Bytes()
}

func (c *census) count(tx store.Tx) error {
	for _, part := range []func(store.Tx) error{c.fleets, c.placements, c.tickets, c.outbox} {
		if err := part(tx); err != nil {
			return err
		}
	}
	return nil
}

// fleet is what is counted of one fleet.
type fleet struct {
	instances, busy             int // ACTIVE
	ready, healthy, idle        int // processes
	activating, active, players int
	hosting                     map[lift.InstanceID]bool
}

// join adds the counts of another fleet, for a metric group.
func (f *fleet) join(o *fleet) {
	f.instances, f.busy = f.instances+o.instances, f.busy+o.busy
	f.ready, f.healthy, f.idle = f.ready+o.ready, f.healthy+o.healthy, f.idle+o.idle
	f.activating, f.active, f.players = f.activating+o.activating, f.active+o.active, f.players+o.players
}

// fleet says what is counted of a fleet, or of a metric group: the percentages
// of a group are those of its sums (behaviour 9).
func (c *census) fleet(f *fleet, is ...string) {
	c.add("ActiveInstances", float64(f.instances), is...)
	c.add("IdleInstances", float64(f.instances-f.busy), is...)
	c.add("PercentIdleInstances", percent(f.instances-f.busy, f.instances), is...)
	c.add("ActiveServerProcesses", float64(f.ready), is...)
	c.add("HealthyServerProcesses", float64(f.healthy), is...)
	c.add("PercentHealthyServerProcesses", percent(f.healthy, f.ready), is...)
	c.add("ActivatingGameSessions", float64(f.activating), is...)
	c.add("ActiveGameSessions", float64(f.active), is...)
	c.add("AvailableGameSessions", float64(f.idle), is...)
	c.add("PercentAvailableGameSessions", percent(f.idle, f.active+f.idle+f.ready-f.healthy), is...)
	c.add("CurrentPlayerSessions", float64(f.players), is...)
}

// percent is 0 of nothing.
func percent(part, whole int) float64 {
	if whole == 0 {
		return 0
	}
	return 100 * float64(part) / float64(whole)
}

func (c *census) fleets(tx store.Tx) error {
	all, err := store.Fleets.All(tx, "region", "")
	if err != nil {
		return err
	}
	of := map[lift.FleetID]*fleet{}
	for _, f := range all {
		of[f.ID] = &fleet{hosting: map[lift.InstanceID]bool{}}
	}
	ss, err := store.Sessions.All(tx, "live", "")
	if err != nil {
		return err
	}
	for _, s := range ss {
		if f := of[s.FleetID]; f != nil {
			f.hosting[s.InstanceID] = true
			switch s.Status {
			case lift.SessionActivating:
				f.activating++
			case lift.SessionActive:
				f.active++
			}
		}
	}
	ps, err := store.Processes.All(tx, "fleet", "")
	if err != nil {
		return err
	}
	for _, p := range ps {
		f := of[p.FleetID]
		if f == nil || p.State != lift.ProcessIdle && p.State != lift.ProcessHosting {
			continue
		}
		f.ready++
		if !p.Unhealthy {
			f.healthy++
			if p.State == lift.ProcessIdle {
				f.idle++
			}
		}
	}
	is, err := store.Instances.All(tx, "fleet", "")
	if err != nil {
		return err
	}
	for _, i := range is {
		if f := of[i.FleetID]; f != nil && i.Status == lift.InstanceActive {
			f.instances++
			if f.hosting[i.ID] {
				f.busy++
			}
		}
	}
	// Of players the index tells enough: it begins with their session's ARN.
	err = each(tx, store.Players.Kind, "live", func(value string) {
		_, rest, _ := strings.Cut(value, ":gamesession/")
		id, _, _ := strings.Cut(rest, "/")
		if f := of[lift.FleetID(id)]; f != nil {
			f.players++
		}
	})
	groups := map[[2]string]*fleet{} // by metric group and region
	for _, lf := range all {
		f, is := of[lf.ID], []string{"fleet_id", string(lf.ID), "region", lf.Region}
		c.add("DesiredInstances", float64(lf.Capacity.Desired), is...)
		c.add("MinInstances", float64(lf.Capacity.Min), is...)
		c.add("MaxInstances", float64(lf.Capacity.Max), is...)
		c.fleet(f, is...)
		for _, name := range lf.MetricGroups {
			key := [2]string{name, lf.Region}
			if groups[key] == nil {
				groups[key] = &fleet{}
			}
			groups[key].join(f)
		}
	}
	for key, g := range groups {
		c.fleet(g, "metric_group", key[0], "region", key[1])
	}
	return err
}

// placements counts those that are PENDING: they wait for a place, or for the
// session that is being activated for them.
func (c *census) placements(tx store.Tx) error {
	qs, err := store.Queues.All(tx, "", "")
	if err != nil {
		return err
	}
	depth, age := map[string]int{}, map[string]time.Duration{}
	note := func(p *lift.Placement) {
		q := store.InRegion(p.Region, p.Queue)
		depth[q]++
		age[q] += max(c.now.Sub(p.StartedAt), 0)
	}
	waiting, err := store.Placements.All(tx, "waiting", "")
	if err != nil {
		return err
	}
	for _, p := range waiting {
		note(p)
	}
	ss, err := store.Sessions.All(tx, "live", "")
	if err != nil {
		return err
	}
	for _, s := range ss {
		if s.Status != lift.SessionActivating || s.PlacementID == "" {
			continue
		}
		p, ok, err := store.Placements.Get(tx, store.InRegion(s.QueueRegion, string(s.PlacementID)))
		if err != nil {
			return err
		}
		if ok && p.Status == lift.PlacementPending {
			note(p)
		}
	}
	for _, q := range qs {
		key := store.InRegion(q.Region, q.Name)
		c.add("QueueDepth", float64(depth[key]), "queue_name", q.Name, "region", q.Region)
		c.add("AverageWaitTime", age[key].Seconds()/float64(max(depth[key], 1)), "queue_name", q.Name, "region", q.Region)
	}
	return nil
}

func (c *census) tickets(tx store.Tx) error {
	ms, err := store.Configurations.All(tx, "", "")
	if err != nil {
		return err
	}
	for _, m := range ms {
		c.add("CurrentTickets", 0, "matchmaking_configuration_name", m.Name, "region", m.Region)
	}
	return each(tx, store.Tickets.Kind, "live", func(value string) {
		if parts := strings.SplitN(value, "/", 3); len(parts) == 3 {
			c.add("CurrentTickets", 1, "matchmaking_configuration_name", parts[1], "region", parts[0])
		}
	})
}

// outbox counts what waits for a receiver, and how long the oldest has.
func (c *census) outbox(tx store.Tx) error {
	for _, to := range []string{"host", "agent", "sink"} {
		c.add("Outbox", 0, "to", to)
	}
	oldest := map[string]float64{}
	var after store.Cursor
	for {
		const page = 500
		rows, next, err := store.Effects.Scan(tx, "to", "", after, page)
		if err != nil {
			return err
		}
		for _, o := range rows {
			to, rest, _ := strings.Cut(string(o.To), "/")
			if to == "sink" {
				to = "sink/" + rest
			}
			age := max(c.now.Sub(o.SentAt).Seconds(), 0)
			oldest[to] = max(oldest[to], age)
			c.add("Outbox", 1, "to", strings.SplitN(to, "/", 2)[0])
		}
		if len(rows) < page {
			break
		}
		after = next
	}
	for to, age := range oldest {
		kind, sink, _ := strings.Cut(to, "/")
		c.add("OutboxOldestSeconds", age, "to", kind, "sink", sink)
	}
	c.values["chairlift_dead_letters"] = map[string]float64{}
	return each(tx, store.DeadLetters.Kind, "sink", func(value string) {
		sink, _, _ := strings.Cut(value, "/")
		c.add("DeadLetters", 1, "sink", sink)
	})
}

// each calls f with every value in an index, without decoding a document.
func each(tx store.Tx, k store.Kind, index string, f func(value string)) error {
	const page = 500
	var after store.Cursor
	for {
		rows, err := tx.Scan(k.Name, index, "", after, page)
		if err != nil {
			return err
		}
		for _, r := range rows {
			f(r.Keys[index])
			after = r.Cursor(index)
		}
		if len(rows) < page {
			return nil
		}
	}
}
