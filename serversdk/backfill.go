package serversdk

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
)

// A Player is a player of a match.
type Player struct {
	PlayerID string
	Team     string
	// Attributes are of type string, float64, []string or map[string]float64.
	Attributes map[string]any
	LatencyMS  map[string]int // by region; needed if the rule set has a latency rule
}

// MatchmakerData is what the matchmaker says about the match it made.
type MatchmakerData struct {
	MatchID              string
	ConfigurationARN     string // of the matchmaker
	Players              []Player
	AutoBackfillMode     string // AUTOMATIC, MANUAL, or empty for none
	AutoBackfillTicketID string // under which players are looked for by themselves
}

// Match reads the session's MatchmakerData, which is empty unless matchmaking
// made the session.
func (g GameSession) Match() (MatchmakerData, error) {
	if g.MatchmakerData == "" {
		return MatchmakerData{}, errors.New("serversdk: the game session was not made by matchmaking")
	}
	var d struct {
		MatchID       string `json:"matchId"`
		Configuration string `json:"matchmakingConfigurationArn"`
		Teams         []struct {
			Name    string `json:"name"`
			Players []struct {
				ID         string `json:"playerId"`
				Attributes map[string]struct {
					Type  string          `json:"attributeType"`
					Value json.RawMessage `json:"valueAttribute"`
				} `json:"attributes"`
			} `json:"players"`
		} `json:"teams"`
		Mode   string `json:"autoBackfillMode"`
		Ticket string `json:"autoBackfillTicketId"`
	}
	if err := json.Unmarshal([]byte(g.MatchmakerData), &d); err != nil {
		return MatchmakerData{}, fmt.Errorf("serversdk: the matchmaker data cannot be read: %w", err)
	}
	m := MatchmakerData{MatchID: d.MatchID, ConfigurationARN: d.Configuration, AutoBackfillMode: d.Mode, AutoBackfillTicketID: d.Ticket}
	for _, t := range d.Teams {
		for _, dp := range t.Players {
			p := Player{PlayerID: dp.ID, Team: t.Name, Attributes: make(map[string]any, len(dp.Attributes))}
			for name, a := range dp.Attributes {
				v, err := attributeValue(a.Type, a.Value)
				if err != nil {
					return MatchmakerData{}, fmt.Errorf("serversdk: attribute %s of player %s: %w", name, p.PlayerID, err)
				}
				p.Attributes[name] = v
			}
			m.Players = append(m.Players, p)
		}
	}
	return m, nil
}

// The types of attributes.
const (
	typeString  = "STRING"
	typeNumber  = "DOUBLE"
	typeStrings = "STRING_LIST"
	typeNumbers = "STRING_DOUBLE_MAP"
)

func attributeValue(kind string, raw json.RawMessage) (any, error) {
	switch kind {
	case typeString:
		return read[string](raw)
	case typeNumber:
		return read[float64](raw)
	case typeStrings:
		return read[[]string](raw)
	case typeNumbers:
		return read[map[string]float64](raw)
	}
	return nil, fmt.Errorf("unknown type %q", kind)
}

func read[T any](raw json.RawMessage) (v T, err error) { return v, json.Unmarshal(raw, &v) }

// BackfillRequest asks for more players for the match that the process hosts.
type BackfillRequest struct {
	TicketID string // of letters, digits, '-' and '.'; the service makes one if it is empty
	// ConfigurationARN names the matchmaker, by default the one that made the
	// match.
	ConfigurationARN string
	// Players are all who play now, each with a team, by default those of the
	// matchmaker data: a game from which players left or which others joined must
	// name them.
	Players []Player
}

// StartMatchBackfill asks the matchmaker for more players, and returns the
// ticket under which it looks for them. What comes of it is told by
// OnUpdateGameSession. A ticket asked for before is cancelled.
func (s *Server) StartMatchBackfill(ctx context.Context, r BackfillRequest) (ticketID string, err error) {
	session, ok := s.GameSession()
	if !ok {
		return "", ErrNoGameSession
	}
	if r.ConfigurationARN == "" || r.Players == nil {
		m, err := session.Match()
		if err != nil {
			return "", err
		}
		if r.ConfigurationARN == "" {
			r.ConfigurationARN = m.ConfigurationARN
		}
		if r.Players == nil {
			r.Players = m.Players
		}
	}
	call := backfillCall{GameSessionARN: session.GameSessionID, ConfigurationARN: r.ConfigurationARN, TicketID: r.TicketID}
	for _, p := range r.Players {
		w := backfillPlayer{PlayerID: p.PlayerID, Team: p.Team, LatencyMS: p.LatencyMS}
		for name, v := range p.Attributes {
			a, err := wireAttribute(v)
			if err != nil {
				return "", fmt.Errorf("serversdk: attribute %s of player %s: %w", name, p.PlayerID, err)
			}
			if w.Attributes == nil {
				w.Attributes = map[string]backfillAttribute{}
			}
			w.Attributes[name] = a
		}
		call.Players = append(call.Players, w)
	}
	raw, err := s.conn.call(ctx, "StartMatchBackfill", call)
	if err != nil {
		return "", err
	}
	var reply struct {
		TicketID string `json:"TicketId"`
	}
	if err := json.Unmarshal(raw, &reply); err != nil {
		return "", fmt.Errorf("serversdk: the answer to StartMatchBackfill cannot be read: %w", err)
	}
	return reply.TicketID, nil
}

// StopMatchBackfill cancels a ticket of StartMatchBackfill, or the automatic one
// of the matchmaker data. configurationARN names the matchmaker; if it is empty,
// it is the one that made the match.
func (s *Server) StopMatchBackfill(ctx context.Context, ticketID, configurationARN string) error {
	session, ok := s.GameSession()
	if !ok {
		return ErrNoGameSession
	}
	if configurationARN == "" {
		m, err := session.Match()
		if err != nil {
			return err
		}
		configurationARN = m.ConfigurationARN
	}
	_, err := s.conn.call(ctx, "StopMatchBackfill", backfillCall{GameSessionARN: session.GameSessionID, ConfigurationARN: configurationARN, TicketID: ticketID})
	return err
}

// The wire form (server-sdk A.3).

type backfillCall struct {
	GameSessionARN   string           `json:"GameSessionArn"`
	ConfigurationARN string           `json:"MatchmakingConfigurationArn"`
	TicketID         string           `json:"TicketId"`
	Players          []backfillPlayer `json:",omitempty"`
}

type backfillPlayer struct {
	PlayerID   string                       `json:"PlayerId"`
	Team       string                       `json:",omitempty"`
	Attributes map[string]backfillAttribute `json:"PlayerAttributes,omitempty"`
	LatencyMS  map[string]int               `json:"LatencyInMs,omitempty"`
}

type backfillAttribute struct {
	AttrType string
	S        string             `json:",omitempty"`
	N        float64            `json:",omitempty"`
	SL       []string           `json:",omitempty"`
	SDM      map[string]float64 `json:",omitempty"`
}

func wireAttribute(v any) (backfillAttribute, error) {
	switch v := v.(type) {
	case string:
		return backfillAttribute{AttrType: typeString, S: v}, nil
	case float64:
		return backfillAttribute{AttrType: typeNumber, N: v}, nil
	case int:
		return backfillAttribute{AttrType: typeNumber, N: float64(v)}, nil
	case []string:
		return backfillAttribute{AttrType: typeStrings, SL: v}, nil
	case map[string]float64:
		return backfillAttribute{AttrType: typeNumbers, SDM: v}, nil
	}
	return backfillAttribute{}, fmt.Errorf("a value of type %T; use string, float64, []string or map[string]float64", v)
}
