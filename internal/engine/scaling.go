package engine

import (
	"time"

	"github.com/chairlift-games/chairlift/internal/fleet"
	"github.com/chairlift-games/chairlift/internal/lift"
	"github.com/chairlift-games/chairlift/internal/placement"
	"github.com/chairlift-games/chairlift/internal/store"
)

// scalingDue weighs the scaling policies of a fleet, once a minute while it is
// ACTIVE and nobody stopped them (behaviour 2.17 and 2.18).
func (tx *Tx) scalingDue(s *lift.Scaling) error {
	f, err := store.Fleets.Find(tx, string(s.FleetID))
	if err != nil {
		return err
	}
	s.SampleAt = tx.Now.Add(fleet.SampleEvery)
	switch {
	case f.ScalingStopped, len(s.Policies) == 0:
		s.SampleAt = time.Time{}
	case f.Status.Preparing():
	case f.Status != lift.FleetActive: // and it never will be again
		s.SampleAt = time.Time{}
	default:
		if err := tx.scale(f, s); err != nil {
			return err
		}
	}
	return store.Scalings.Put(tx, s)
}

func (tx *Tx) scale(f *lift.Fleet, s *lift.Scaling) error {
	u, err := tx.usage(f, s)
	if err != nil {
		return err
	}
	policies, capacity, why := fleet.Scale(tx.Now, f.Capacity, s.Policies, u)
	s.Policies = policies
	if len(why) == 0 {
		return nil
	}
	for _, reason := range why {
		if err := tx.Log(f, lift.Notice{Code: lift.FleetScaling, Message: reason}); err != nil {
			return err
		}
	}
	f.Capacity, f.LookAt = capacity, tx.Now
	return store.Fleets.Put(tx, f)
}

// usage counts what the policies of a fleet weigh.
func (tx *Tx) usage(f *lift.Fleet, s *lift.Scaling) (u fleet.Usage, err error) {
	u.ProcessesPerInstance = f.Runtime.Total()
	is, err := store.Instances.All(tx, "fleet", string(f.ID)+"/")
	if err != nil {
		return u, err
	}
	active := map[lift.InstanceID]*lift.Instance{}
	for _, i := range is {
		if i.Status == lift.InstanceActive {
			active[i.ID] = i
		}
	}
	ss, err := store.Sessions.All(tx, "live", string(f.ID)+"/")
	if err != nil {
		return u, err
	}
	busy := map[lift.InstanceID]bool{}
	for _, s := range ss {
		busy[s.InstanceID] = true
		switch s.Status {
		case lift.SessionActivating:
			u.Activating++
		case lift.SessionActive:
			u.Active++
			u.FreeSeats += max(s.MaxPlayers-s.PlayerCount, 0)
		}
		u.Players += s.PlayerCount
	}
	u.Instances = len(active)
	for id := range active {
		if !busy[id] {
			u.Idle++
		}
	}
	ps, err := store.Processes.All(tx, "fleet", string(f.ID)+"/")
	if err != nil {
		return u, err
	}
	for _, p := range ps {
		i := active[p.InstanceID]
		switch ready := p.State == lift.ProcessIdle || p.State == lift.ProcessHosting; {
		case ready && p.Unhealthy:
			u.Unhealthy++
		case i != nil && p.State == lift.ProcessIdle:
			u.Available++
			if most := f.Runtime.MaxActivations; most == 0 || i.Activating < most {
				u.Activatable++
			}
		}
	}
	for _, p := range s.Policies {
		if p.Metric.Queues() {
			u.QueueDepth, u.LongestWait, err = tx.waitingFor(f)
			break
		}
	}
	return u, err
}

// waitingFor counts the placements that would go to f before any other fleet,
// and tells how long the oldest waits.
func (tx *Tx) waitingFor(f *lift.Fleet) (n int, longest time.Duration, err error) {
	qs, err := store.Queues.All(tx, "", "")
	if err != nil {
		return 0, 0, err
	}
	for _, q := range qs {
		leads, err := tx.leadsTo(q, f)
		if err != nil {
			return 0, 0, err
		}
		if !leads {
			continue
		}
		var cs []placement.Candidate
		for _, d := range q.Destinations {
			c, err := tx.destination(d)
			if err != nil {
				return 0, 0, err
			}
			cs = append(cs, c)
		}
		ps, err := store.Placements.All(tx, "waiting", store.InRegion(q.Region, q.Name)+"/")
		if err != nil {
			return 0, 0, err
		}
		for _, p := range ps {
			if first := placement.First(tx.Now, *q, *p, cs); first != nil && first.ID == f.ID {
				n++
				longest = max(longest, tx.Now.Sub(p.StartedAt))
			}
		}
	}
	return n, longest, nil
}
