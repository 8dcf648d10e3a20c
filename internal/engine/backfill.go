package engine

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/chairlift-games/chairlift/internal/lift"
	"github.com/chairlift-games/chairlift/internal/session"
	"github.com/chairlift-games/chairlift/internal/store"
)

// claimSession makes t the one backfill ticket of its session. An older one is
// cancelled (flexmatch 14).
func (tx *Tx) claimSession(t *lift.Ticket) error {
	s, err := store.Sessions.Find(tx, string(t.Backfill.SessionID))
	if err != nil {
		return err
	}
	old := s.BackfillTicket
	s.BackfillTicket = store.TicketKey(t)
	if err := store.Sessions.Put(tx, s); err != nil {
		return err
	}
	return tx.endBackfill(s, old, "Replaced by backfill ticket "+string(t.ID)+" of the same game session.")
}

// endBackfill cancels a backfill ticket, if there is one, that its session has
// already let go of, and tells the game server, if it still plays.
func (tx *Tx) endBackfill(s *lift.GameSession, key, message string) error {
	if key == "" {
		return nil
	}
	t, ok, err := store.Tickets.Get(tx, key)
	// Another server may be ending it: then this one's row of the session is old,
	// and the transaction will run again.
	if !ok || !t.Status.Stoppable() {
		return err
	}
	if err := tx.StopTicket(t, reasonCancelled, message); err != nil || s.Status != lift.SessionActive {
		return err
	}
	return tx.Emit(session.Updated(*s, session.BackfillCancelled, t.ID))
}

// SaveSession saves a game session. One that ended or began to takes its
// backfill ticket with it; one that denies new players ends the automatic one,
// for good (flexmatch 14). One that is not ACTIVE yet has none.
func (tx *Tx) SaveSession(s *lift.GameSession) error {
	ended := s.Status != lift.SessionActive
	closed := ended || s.AutoBackfill && s.Policy == lift.DenyAll
	key := s.BackfillTicket
	if closed {
		s.BackfillTicket, s.AutoBackfill = "", false
	}
	if err := store.Sessions.Put(tx, s); err != nil || !closed {
		return err
	}
	why := "The game session takes no new players."
	if ended {
		why = "The game session has ended."
	}
	return tx.endBackfill(s, key, why)
}

// backfillEnded is told that a backfill ticket ended without players: the game
// server hears of it, and a session whose open seats are offered by themselves
// gets its next ticket, unless somebody stopped this one or it failed
// (flexmatch 14).
func (tx *Tx) backfillEnded(t *lift.Ticket) error {
	if t.Backfill.SessionID == "" || t.Status == lift.TicketCompleted {
		return nil
	}
	s, err := store.Sessions.Find(tx, string(t.Backfill.SessionID))
	if err != nil || s.BackfillTicket != store.TicketKey(t) {
		return err
	}
	s.BackfillTicket = ""
	reason := session.BackfillCancelled
	switch {
	case t.Status == lift.TicketTimedOut:
		reason = session.BackfillTimedOut
	case t.Status == lift.TicketFailed:
		reason, s.AutoBackfill = session.BackfillFailed, false
	case t.Reason != reasonRequeued:
		s.AutoBackfill = false
	}
	next, err := tx.follower(s, "", t.Players)
	if err != nil {
		return err
	}
	if err := store.Sessions.Put(tx, s); err != nil {
		return err
	}
	if err := tx.Emit(session.Updated(*s, reason, t.ID)); err != nil || next == nil {
		return err
	}
	return tx.AddTicket(next)
}

// joinSession brings the new players of a backfill match into its game
// session. It reports false if the session does not take them; then nothing
// has changed.
func (tx *Tx) joinSession(m *lift.Match, ts []*lift.Ticket) (bool, error) {
	b := ts[slices.Index(m.Tickets, m.Backfill)]
	s, err := store.Sessions.Find(tx, string(b.Backfill.SessionID))
	if err != nil {
		return false, err
	}
	var seats []session.Seat
	for _, seat := range m.Seats {
		if seat.Ticket != b.ID {
			seats = append(seats, session.Seat{ID: lift.PlayerSessionID("psess-" + tx.NewID()), PlayerID: seat.PlayerID})
		}
	}
	joined, players, refusal := session.Join(tx.Now, *s, seats, m.Data)
	if refusal != nil {
		return false, nil
	}
	joined.BackfillTicket = ""
	for i := range players {
		if err := store.Players.Put(tx, &players[i]); err != nil {
			return false, err
		}
	}
	// Every ticket lists the slots of its own players. Those of the backfill
	// ticket have theirs already, but for those who left.
	slots, err := tx.held(s.ID)
	if err != nil {
		return false, err
	}
	for _, p := range players {
		slots[p.PlayerID] = p.ID
	}
	for _, t := range ts {
		t.Session = &lift.MatchSession{SessionID: s.ID, Address: s.Address, DNSName: s.DNSName, Port: s.Port}
		for _, p := range t.Players {
			if slot := slots[p.ID]; slot != "" {
				t.Session.Placed = append(t.Session.Placed, lift.PlacedPlayer{PlayerID: p.ID, PlayerSessionID: slot})
			}
		}
	}
	if err := tx.succeed(m, ts); err != nil {
		return false, err
	}
	next, err := tx.follower(&joined, "", playersOf(m, ts))
	if err != nil {
		return false, err
	}
	if err := store.Sessions.Put(tx, &joined); err != nil {
		return false, err
	}
	if err := tx.Emit(session.Updated(joined, session.DataUpdated, b.ID)); err != nil || next == nil {
		return true, err
	}
	return true, tx.AddTicket(next)
}

// held are the player sessions of those who are in a game session or expected
// there.
func (tx *Tx) held(id lift.GameSessionID) (map[string]lift.PlayerSessionID, error) {
	live, err := store.Players.All(tx, "live", string(id)+"/")
	slots := make(map[string]lift.PlayerSessionID, len(live))
	for _, p := range live {
		slots[p.PlayerID] = p.ID
	}
	return slots, err
}

// follower makes the next automatic backfill ticket of a session, if it is to
// have one, and notes it in the session; the caller saves both. An id "" has one
// made. The players are all of the match, those who left included
// (flexmatch 14).
func (tx *Tx) follower(s *lift.GameSession, id lift.TicketID, players []lift.TicketPlayer) (*lift.Ticket, error) {
	if !s.AutoBackfill {
		return nil, nil
	}
	c, ok, err := store.Configurations.Get(tx, s.Matchmaker)
	if err != nil {
		return nil, err
	}
	if !ok || s.PlayerCount >= s.MaxPlayers || len(players) >= s.MaxPlayers-c.AdditionalPlayers {
		s.AutoBackfill, s.MatchmakerData = false, withAutoBackfill(s.MatchmakerData, "")
		return nil, nil
	}
	if id == "" {
		id = lift.TicketID(tx.NewID())
	}
	t := &lift.Ticket{
		ID: id, Region: c.Region, Account: c.Account, Configuration: c.Name, Players: players,
		StartedAt: tx.Now, Deadline: tx.Now.Add(time.Duration(c.RequestTimeoutSeconds) * time.Second),
		Backfill: &lift.Backfill{SessionID: s.ID, Location: s.Location, Automatic: true},
	}
	s.BackfillTicket, s.MatchmakerData = store.TicketKey(t), withAutoBackfill(s.MatchmakerData, id)
	return t, nil
}

// startBackfill is StartMatchBackfill as a game server calls it, for the
// session that it hosts (server-sdk A.3).
func (tx *Tx) startBackfill(inst *lift.Instance, ev lift.StartBackfill) (lift.Reply, error) {
	s, c, err := tx.hostedFor(inst, ev.ProcessID, ev.SessionID, ev.Configuration)
	if err != nil {
		return lift.Reply{}, err
	}
	if err := CheckPlayers(ev.Players, true); err != nil {
		return lift.Reply{}, err
	}
	t, err := tx.Ask(c, Wish{ID: ev.TicketID, Players: ev.Players, Backfill: true, Session: s.ID})
	if err != nil {
		return lift.Reply{}, err
	}
	return lift.Reply{Status: 200, TicketID: t.ID}, nil
}

// stopBackfill is StopMatchBackfill as a game server calls it.
func (tx *Tx) stopBackfill(inst *lift.Instance, ev lift.StopBackfill) (lift.Reply, error) {
	s, c, err := tx.hostedFor(inst, ev.ProcessID, ev.SessionID, ev.Configuration)
	if err != nil {
		return lift.Reply{}, err
	}
	t, ok, err := store.Tickets.Get(tx, store.InRegion(c.Region, string(ev.TicketID)))
	switch {
	case err != nil:
		return lift.Reply{}, err
	case !ok || t.Configuration != c.Name || t.Backfill == nil:
		return lift.Reply{}, lift.Errorf(lift.NotFound, "TicketId: matchmaking configuration %s has no backfill ticket %s", c.Name, ev.TicketID)
	case t.Backfill.SessionID != "" && t.Backfill.SessionID != s.ID:
		return lift.Reply{}, lift.Errorf(lift.Unauthorized, "TicketId: backfill ticket %s is for another game session", t.ID)
	}
	return lift.Reply{Status: 200}, tx.StopTicket(t, "", "")
}

// hostedFor finds the live session of an instance's process, and the matchmaker
// that its game server names.
func (tx *Tx) hostedFor(inst *lift.Instance, p lift.ProcessID, id lift.GameSessionID, configuration string) (*lift.GameSession, *lift.MatchmakingConfiguration, error) {
	st, err := tx.loadProcess(p)
	if err != nil {
		return nil, nil, err
	}
	s := st.Live()
	switch {
	case st.Process.InstanceID != inst.ID:
		return nil, nil, lift.Errorf(lift.Unauthorized, "process %s belongs to another instance", p)
	case s == nil || s.ID != id:
		return nil, nil, lift.Errorf(lift.NotFound, "the process does not host game session %s", id)
	}
	region, name := lift.ARNRegion(configuration), lift.Resource(configuration, "matchmakingconfiguration")
	if region == "" {
		return nil, nil, lift.Errorf(lift.InvalidRequest, "MatchmakingConfigurationArn: got %.100q; the matchmaker data of the game session holds the ARN", configuration)
	}
	c, ok, err := store.Configurations.Get(tx, store.InRegion(region, name))
	if err == nil && (!ok || c.ARN() != configuration) {
		err = lift.Errorf(lift.NotFound, "MatchmakingConfigurationArn: there is no matchmaking configuration %s", configuration)
	}
	return s, c, err
}

// playersOf lists the players of a match in the order of its seats.
func playersOf(m *lift.Match, ts []*lift.Ticket) []lift.TicketPlayer {
	of := map[string]lift.TicketPlayer{}
	for _, t := range ts {
		for _, p := range t.Players {
			of[p.ID] = p
		}
	}
	out := make([]lift.TicketPlayer, len(m.Seats))
	for i, seat := range m.Seats {
		out[i] = of[seat.PlayerID]
		out[i].Team = seat.Team
	}
	return out
}

// matchData is matchmaker data as far as automatic backfill changes it
// (flexmatch 15).
type matchData struct {
	MatchID       string          `json:"matchId"`
	Configuration string          `json:"matchmakingConfigurationArn"`
	Teams         json.RawMessage `json:"teams"`
	BackfillMode  string          `json:"autoBackfillMode"`
	BackfillID    *lift.TicketID  `json:"autoBackfillTicketId"`
}

// withAutoBackfill names the automatic backfill ticket in matchmaker data, or
// says that there is none now. What is no such data stays as it is.
func withAutoBackfill(data string, id lift.TicketID) string {
	var d matchData
	if json.Unmarshal([]byte(data), &d) != nil {
		return data
	}
	d.BackfillMode = string(lift.BackfillAutomatic)
	if d.BackfillID = &id; id == "" {
		d.BackfillID = nil
	}
	b, _ := json.Marshal(d) // of texts: it cannot fail
	return string(b)
}
