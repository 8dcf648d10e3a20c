package engine

import (
	"github.com/chairlift-games/chairlift/internal/lift"
	"github.com/chairlift-games/chairlift/internal/store"
)

// PlayerQuery asks for player sessions by exactly one of its first three
// members (behaviour 4).
type PlayerQuery struct {
	Session lift.GameSessionID
	ID      lift.PlayerSessionID
	Player  string
	Status  lift.PlayerSessionStatus // "" for all
	After   string                   // the last id of the page before
	Limit   int
}

// FindPlayers answers q within a region. next is where the next page begins,
// "" after the last.
func FindPlayers(tx store.Tx, region string, q PlayerQuery) (found []lift.PlayerSession, next string, err error) {
	var index, prefix string
	switch {
	case q.ID != "" && q.Session == "" && q.Player == "":
		p, err := store.Players.Find(tx, string(q.ID))
		if err != nil {
			return nil, "", err
		}
		if p.Region != region {
			return nil, "", lift.Errorf(lift.NotFound, "player session %s not found", q.ID)
		}
		return []lift.PlayerSession{*p}, "", nil
	case q.Session != "" && q.ID == "" && q.Player == "":
		if _, err := store.Sessions.Find(tx, string(q.Session)); err != nil {
			return nil, "", err
		}
		index, prefix = "session", string(q.Session)+"/"
	case q.Player != "" && q.ID == "" && q.Session == "":
		index, prefix = "player", store.PlayerKey(region, q.Player)
	default:
		return nil, "", lift.Errorf(lift.InvalidRequest, "give exactly one of PlayerSessionId, GameSessionId and PlayerId")
	}
	var after store.Cursor
	if q.After != "" {
		after = store.Cursor{Value: prefix, ID: q.After}
	}
	for {
		ps, at, err := store.Players.Scan(tx, index, prefix, after, q.Limit+1)
		if err != nil {
			return nil, "", err
		}
		for _, p := range ps {
			if q.Status != "" && p.Status != q.Status || q.Player != "" && p.PlayerID != q.Player {
				continue
			}
			if len(found) == q.Limit {
				return found, string(found[q.Limit-1].ID), nil
			}
			found = append(found, *p)
		}
		if len(ps) <= q.Limit {
			return found, "", nil
		}
		after = at
	}
}
