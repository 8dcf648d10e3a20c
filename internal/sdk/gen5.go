package sdk

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// maxRequestIDBytes bounds what we echo; clients use 32 or 36 characters.
const maxRequestIDBytes = 256

// DecodeFrame5 reads one text frame of a generation 5 client (server-sdk A.2,
// A.3). Member names are exact, unknown members are ignored, and null, "" and
// absent mean the same. What cannot be read comes back as an Err to answer
// with, or without a RequestID if there is nobody to answer.
func DecodeFrame5(frame []byte) Received {
	var m members
	if err := json.Unmarshal(frame, &m.raw); err != nil || m.raw == nil {
		return Received{Err: Errorf(http.StatusBadRequest, "the frame is not a JSON object")}
	}
	got := Received{RequestID: m.text("RequestId"), Action: m.text("Action")}
	if m.err != nil || len(got.RequestID) > maxRequestIDBytes {
		return Received{Err: Errorf(http.StatusBadRequest, "RequestId and Action must be strings, RequestId of at most %d bytes", maxRequestIDBytes)}
	}
	got.Request = decodeRequest5(got.Action, &m)
	if m.err != nil {
		got.Request, got.Err = nil, m.err
	}
	return got
}

func decodeRequest5(action string, m *members) Request {
	switch action {
	case "ActivateServerProcess":
		return ActivateServerProcess{
			SDKVersion: m.text("SdkVersion"), SDKLanguage: m.text("SdkLanguage"),
			ToolName: m.text("SdkToolName"), ToolVersion: m.text("SdkToolVersion"),
			Port: m.integer("Port"), LogPaths: m.texts("LogPaths"),
		}
	case "HeartbeatServerProcess":
		return HeartbeatServerProcess{Healthy: m.boolean("HealthStatus")}
	case "ActivateGameSession":
		return ActivateGameSession{GameSessionID: m.text("GameSessionId")}
	case "AcceptPlayerSession":
		return AcceptPlayerSession{GameSessionID: m.text("GameSessionId"), PlayerSessionID: m.text("PlayerSessionId")}
	case "RemovePlayerSession":
		return RemovePlayerSession{GameSessionID: m.text("GameSessionId"), PlayerSessionID: m.text("PlayerSessionId")}
	case "UpdatePlayerSessionCreationPolicy":
		return UpdatePlayerSessionCreationPolicy{GameSessionID: m.text("GameSessionId"), Policy: m.text("PlayerSessionPolicy")}
	case "DescribePlayerSessions":
		return DescribePlayerSessions{
			GameSessionID: m.text("GameSessionId"), PlayerSessionID: m.text("PlayerSessionId"), PlayerID: m.text("PlayerId"),
			StatusFilter: m.text("PlayerSessionStatusFilter"), NextToken: m.text("NextToken"), Limit: m.integer("Limit"),
		}
	case "GetComputeCertificate":
		return GetComputeCertificate{}
	case "TerminateServerProcess":
		return TerminateServerProcess{}
	case "StartMatchBackfill":
		return StartMatchBackfill{
			GameSessionARN: m.text("GameSessionArn"), ConfigurationARN: m.text("MatchmakingConfigurationArn"),
			TicketID: m.text("TicketId"), Players: m.players("Players"),
		}
	case "StopMatchBackfill":
		return StopMatchBackfill{
			GameSessionARN: m.text("GameSessionArn"), ConfigurationARN: m.text("MatchmakingConfigurationArn"), TicketID: m.text("TicketId"),
		}
	case "GetFleetRoleCredentials":
		m.fail("GetFleetRoleCredentials is not available here yet; give the game server its credentials another way")
	case "":
		m.fail("the message has no Action")
	default:
		m.fail("unknown Action %q", action)
	}
	return nil
}

// members reads typed values out of a JSON object and keeps the first thing
// that was wrong.
type members struct {
	raw map[string]json.RawMessage
	err *Error
}

func (m *members) fail(format string, args ...any) {
	if m.err == nil {
		m.err = Errorf(http.StatusBadRequest, format, args...)
	}
}

func (m *members) read(name, kind string, v any) {
	raw, ok := m.raw[name]
	if !ok {
		return
	}
	if err := json.Unmarshal(raw, v); err != nil {
		m.fail("%s must be %s", name, kind)
	}
}

func (m *members) text(name string) (s string) {
	m.read(name, "a string", &s)
	return s
}

func (m *members) texts(name string) (list []string) {
	m.read(name, "a list of strings", &list)
	return list
}

func (m *members) boolean(name string) (b bool) {
	m.read(name, "true or false", &b)
	return b
}

// integer takes 7777, and 7777.0 as well.
func (m *members) integer(name string) int {
	var n json.Number
	if raw := m.raw[name]; len(raw) > 0 && raw[0] == '"' {
		m.fail("%s must be a whole number", name)
		return 0
	}
	m.read(name, "a whole number", &n)
	if n == "" {
		return 0
	}
	f, err := strconv.ParseFloat(string(n), 64)
	if err != nil || f != math.Trunc(f) || math.Abs(f) > math.MaxInt32 {
		m.fail("%s must be a whole number of at most 32 bits", name)
		return 0
	}
	return int(f)
}

// players reads the players of a backfill (server-sdk A.3).
func (m *members) players(name string) (list []Player) {
	var raw []map[string]json.RawMessage
	m.read(name, "a list of players", &raw)
	for i := range raw {
		p := members{raw: raw[i]}
		list = append(list, Player{
			PlayerID: p.text("PlayerId"), Team: p.text("Team"), Attributes: p.attributes("PlayerAttributes"), LatencyMS: p.integers("LatencyInMs"),
		})
		m.adopt(p.err, "%s[%d]", name, i)
	}
	return list
}

// attributes reads the attributes of a player. One of type NONE is none.
func (m *members) attributes(name string) map[string]Attribute {
	var raw map[string]map[string]json.RawMessage
	m.read(name, "a map of attributes", &raw)
	var out map[string]Attribute
	for _, key := range slices.Sorted(maps.Keys(raw)) {
		v := members{raw: raw[key]}
		a := Attribute{Type: v.text("AttrType")}
		switch a.Type {
		case "STRING":
			a.S = v.text("S")
		case "DOUBLE":
			v.read("N", "a number", &a.N)
		case "STRING_LIST":
			a.SL = v.texts("SL")
		case "STRING_DOUBLE_MAP":
			v.read("SDM", "a map of numbers", &a.SDM)
		case "NONE", "":
			continue
		default:
			v.fail("AttrType must be STRING, DOUBLE, STRING_LIST or STRING_DOUBLE_MAP, got %.50q", a.Type)
		}
		m.adopt(v.err, "%s[%q]", name, key)
		if out == nil {
			out = map[string]Attribute{}
		}
		out[key] = a
	}
	return out
}

// integers reads a map of whole numbers.
func (m *members) integers(name string) map[string]int {
	var raw map[string]json.RawMessage
	m.read(name, "a map of whole numbers", &raw)
	values := members{raw: raw}
	var out map[string]int
	for _, key := range slices.Sorted(maps.Keys(raw)) {
		if out == nil {
			out = map[string]int{}
		}
		out[key] = values.integer(key)
	}
	m.adopt(values.err, "%s", name)
	return out
}

// adopt takes over what was wrong within a member.
func (m *members) adopt(err *Error, format string, args ...any) {
	if err != nil {
		m.fail("%s.%s", fmt.Sprintf(format, args...), err.Message)
	}
}

// replyHead opens every reply. Without Action some clients crash, without
// StatusCode all take it for an error (server-sdk A.0 rule 1).
type replyHead struct {
	Action       string
	RequestID    string `json:"RequestId"`
	StatusCode   int
	ErrorMessage string `json:",omitempty"`
}

// EncodeReply5 writes an answer as the text frame of generation 5.
func EncodeReply5(r SendReply) []byte {
	head := replyHead{Action: r.Action, RequestID: r.RequestID, StatusCode: http.StatusOK}
	if r.Err != nil {
		head.StatusCode, head.ErrorMessage = r.Err.StatusCode, r.Err.Message
		if head.StatusCode < 400 || head.StatusCode > 599 {
			head.StatusCode = http.StatusInternalServerError
		}
		if head.ErrorMessage == "" {
			head.ErrorMessage = http.StatusText(head.StatusCode)
		}
		return encode(head)
	}
	switch reply := r.Reply.(type) {
	case nil:
		return encode(head)
	case PlayerSessions:
		list := make([]playerSession5, len(reply.Sessions))
		for i, s := range reply.Sessions {
			list[i] = playerSession5{
				PlayerSessionID: s.PlayerSessionID, PlayerID: s.PlayerID, GameSessionID: s.GameSessionID, FleetID: s.FleetID,
				PlayerData: s.PlayerData, IPAddress: s.IPAddress, DNSName: s.DNSName, Port: s.Port,
				CreationTime: epochMS(s.CreationTime), TerminationTime: epochMS(s.TerminationTime), Status: s.Status,
			}
		}
		return encode(struct {
			replyHead
			NextToken      *string
			PlayerSessions []playerSession5
		}{head, orNull(reply.NextToken), list})
	case BackfillTicket:
		return encode(struct {
			replyHead
			TicketID string `json:"TicketId"`
		}{head, reply.TicketID})
	case ComputeCertificate:
		return encode(struct {
			replyHead
			ComputeCertificate
		}{head, reply})
	}
	head.StatusCode, head.ErrorMessage = http.StatusInternalServerError, fmt.Sprintf("no encoding for the answer to %s", r.Action)
	return encode(head)
}

// playerSession5 keeps times as whole milliseconds: C++ takes no fraction.
type playerSession5 struct {
	PlayerSessionID string `json:"PlayerSessionId"`
	PlayerID        string `json:"PlayerId"`
	GameSessionID   string `json:"GameSessionId"`
	FleetID         string `json:"FleetId"`
	PlayerData      string
	IPAddress       string `json:"IpAddress"`
	DNSName         string `json:"DnsName"`
	Port            int
	CreationTime    *int64
	TerminationTime *int64
	Status          string
}

// EncodePush5 writes a push as the text frame of generation 5. It has no
// RequestId member at all (server-sdk A.0 rule 2), and GameProperties is an
// object (rule 9).
func EncodePush5(p Push) []byte {
	switch p := p.(type) {
	case CreateGameSession:
		return encode(struct {
			Action                    string
			GameSessionID             string `json:"GameSessionId"`
			GameSessionName           string
			GameSessionData           string
			MaximumPlayerSessionCount int
			Port                      int
			IPAddress                 string `json:"IpAddress"`
			DNSName                   string `json:"DnsName"`
			MatchmakerData            string
			GameProperties            map[string]string
		}{
			p.push(), p.GameSessionID, p.GameSessionName, p.GameSessionData, p.MaximumPlayerSessionCount, p.Port,
			p.IPAddress, p.DNSName, p.MatchmakerData, orEmpty(p.GameProperties),
		})
	case UpdateGameSession:
		g := p.GameSession
		return encode(struct {
			Action           string
			GameSession      gameSession5
			UpdateReason     string
			BackfillTicketID string `json:"BackfillTicketId"`
		}{
			p.push(),
			gameSession5{
				g.GameSessionID, g.Name, g.FleetID, g.Location, g.MaximumPlayerSessionCount, g.Port, g.IPAddress, g.DNSName,
				g.GameSessionData, g.MatchmakerData, orEmpty(g.GameProperties), orNull(g.Status), g.StatusReason,
			},
			p.UpdateReason, p.BackfillTicketID,
		})
	case TerminateProcess:
		return encode(struct {
			Action          string
			TerminationTime int64
		}{p.push(), p.TerminationTime.UnixMilli()})
	case RefreshConnection:
		return encode(struct {
			Action    string
			Endpoint  string `json:"RefreshConnectionEndpoint"`
			AuthToken string
		}{p.push(), p.Endpoint, p.Token})
	}
	panic(fmt.Sprintf("sdk: no encoding for push %T", p))
}

// gameSession5 has Name where CreateGameSession has GameSessionName.
type gameSession5 struct {
	GameSessionID             string `json:"GameSessionId"`
	Name                      string
	FleetID                   string `json:"FleetId"`
	Location                  string
	MaximumPlayerSessionCount int
	Port                      int
	IPAddress                 string `json:"IpAddress"`
	DNSName                   string `json:"DnsName"`
	GameSessionData           string
	MatchmakerData            string
	GameProperties            map[string]string
	Status                    *string
	StatusReason              string
}

func epochMS(t time.Time) *int64 {
	if t.IsZero() {
		return nil
	}
	return new(t.UnixMilli())
}

func orNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func orEmpty(m map[string]string) map[string]string {
	if m == nil {
		return map[string]string{}
	}
	return m
}

func encode(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic("sdk: " + err.Error()) // our own structs of strings and integers
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}
