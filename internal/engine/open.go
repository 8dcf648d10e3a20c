package engine

import (
	"github.com/chairlift-games/chairlift/internal/lift"
	"github.com/chairlift-games/chairlift/internal/placement"
	"github.com/chairlift-games/chairlift/internal/session"
	"github.com/chairlift-games/chairlift/internal/store"
)

// slots is a window on the idle processes of a fleet within one transaction.
// It grows from few to many, since one call needs one process and a turn needs
// hundreds.
type slots struct {
	ready []placement.Slot
	after store.Cursor
	page  int
	all   bool
}

const (
	firstPage = 4
	lastPage  = 128
	maxSlots  = 2000 // candidates looked at for one session before giving up
)

// candidates returns idle processes of f in order of preference: enough that
// one of them can take a session, or all there are.
func (tx *Tx) candidates(f *lift.Fleet, avoid []lift.ProcessID) ([]placement.Slot, error) {
	w := tx.slots[f.ID]
	if w == nil {
		w = &slots{page: firstPage}
		if tx.slots == nil {
			tx.slots = map[lift.FleetID]*slots{}
		}
		tx.slots[f.ID] = w
	}
	for !w.all && len(w.ready) < maxSlots {
		if found, _ := placement.Pick(w.ready, avoid); found != nil {
			break
		}
		if err := tx.grow(f, w); err != nil {
			return nil, err
		}
	}
	return w.ready, nil
}

func (tx *Tx) grow(f *lift.Fleet, w *slots) error {
	ps, next, err := store.Processes.Scan(tx, "idle", string(f.ID)+"/", w.after, w.page)
	if err != nil {
		return err
	}
	w.all = len(ps) < w.page
	w.after = next
	w.page = min(2*w.page, lastPage)
	var inst *lift.Instance
	for _, p := range ps {
		if inst == nil || inst.ID != p.InstanceID {
			if inst, err = store.Instances.Find(tx, string(p.InstanceID)); err != nil {
				return err
			}
		}
		w.ready = append(w.ready, placement.Slot{Process: *p, Status: inst.Status, Activating: inst.Activating, Cap: f.Runtime.MaxActivations})
	}
	return nil
}

// took removes a process from the window and counts its activation.
func (w *slots) took(p lift.Process) {
	keep := w.ready[:0]
	for _, s := range w.ready {
		if s.Process.ID == p.ID {
			continue
		}
		if s.Process.InstanceID == p.InstanceID {
			s.Activating++
		}
		keep = append(keep, s)
	}
	w.ready = keep
}

// Open opens a game session on an idle process of f. If there is none it
// returns nil and why each one was passed over.
func (tx *Tx) Open(f *lift.Fleet, w session.Want) (*lift.GameSession, []lift.Skip, error) {
	cs, err := tx.candidates(f, nil)
	if err != nil {
		return nil, nil, err
	}
	slot, skips := placement.Pick(cs, nil)
	if slot == nil {
		return nil, skips, nil
	}
	s, err := tx.openOn(f, slot.Process, w)
	return s, skips, err
}

// openOn opens a game session on the process.
func (tx *Tx) openOn(f *lift.Fleet, p lift.Process, w session.Want) (*lift.GameSession, error) {
	w.Protection = f.Protection
	w.Timeout = f.Runtime.ActivationTimeout()
	w.Capped = f.Runtime.MaxActivations > 0
	st, effects, err := session.Reserve(tx.Now, p, w)
	if err != nil {
		return nil, err
	}
	if w.Capped {
		if err := tx.countActivating(p.InstanceID, 1); err != nil {
			return nil, err
		}
	}
	tx.slots[f.ID].took(p)
	if err := tx.saveProcess(session.State{Process: p}, st); err != nil {
		return nil, err
	}
	return st.Session, tx.Emit(effects...)
}

// Terminate begins the end of a live game session and of its process, by force
// if need be, and returns the session as it is then.
func (tx *Tx) Terminate(s *lift.GameSession, force bool) (*lift.GameSession, error) {
	st, err := tx.loadProcess(s.ProcessID)
	if err != nil {
		return nil, err
	}
	next, effects := session.Terminate(st, force)
	if err := tx.saveProcess(st, next); err != nil {
		return nil, err
	}
	return next.Session, tx.Emit(effects...)
}

// Census says in words what the processes of a fleet are doing, for the user
// who got none. It looks at the first thousand.
func Census(tx store.Tx, f lift.FleetID) (string, error) {
	ps, _, err := store.Processes.Scan(tx, "fleet", string(f)+"/", store.Cursor{}, 1000)
	return placement.Census(ps), err
}
