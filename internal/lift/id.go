package lift

import (
	"encoding/binary"
	"encoding/hex"
	"io"
	"strings"
	"time"
)

// Identifiers, one type for each thing so that they cannot be mixed up.
// Forms are those of behaviour 0.1.
type (
	BuildID         string // build-<uuid>
	ScriptID        string // script-<uuid>
	FleetID         string // fleet-<uuid>
	AliasID         string // alias-<uuid>
	PeeringID       string // pcx-<17 hex digits>
	InstanceID      string // i-<17 hex digits>; also the name of its agent
	ProcessID       string // a UUID; the pID of the Server SDK
	GameSessionID   string // the ARN, as players and SDKs see it
	PlayerSessionID string // psess-<uuid>
	PlacementID     string // the caller's own
	TicketID        string // the caller's own, or a UUID
	MatchID         string // a UUID
	EffectID        string // a UUID
	EventID         string // a UUID
)

// UUID makes a version 7 UUID: it begins with the time in milliseconds, so
// rows made one after the other lie side by side in the store. The remaining 74
// bits come from rand, which must not fail.
func UUID(now time.Time, rand io.Reader) string {
	var b [16]byte
	fill(rand, b[6:])
	ms := uint64(now.UnixMilli())
	binary.BigEndian.PutUint16(b[0:], uint16(ms>>32))
	binary.BigEndian.PutUint32(b[2:], uint32(ms))
	b[6] = b[6]&0x0f | 0x70
	b[8] = b[8]&0x3f | 0x80
	var s [36]byte
	hex.Encode(s[0:8], b[0:4])
	hex.Encode(s[9:13], b[4:6])
	hex.Encode(s[14:18], b[6:8])
	hex.Encode(s[19:23], b[8:10])
	hex.Encode(s[24:36], b[10:16])
	s[8], s[13], s[18], s[23] = '-', '-', '-', '-'
	return string(s[:])
}

// NewInstanceID makes an instance id: "i-" and 17 hex digits, of which the
// first 11 are the time in milliseconds, so that older instances sort first.
func NewInstanceID(now time.Time, rand io.Reader) InstanceID {
	var b [12]byte
	binary.BigEndian.PutUint64(b[0:], uint64(now.UnixMilli())<<20)
	var r [4]byte
	fill(rand, r[:])
	b[5] = b[5]&0xf0 | r[3]&0x0f
	copy(b[6:9], r[:3])
	return InstanceID("i-" + hex.EncodeToString(b[:9])[:17])
}

// NewSecret makes the secret of an agent: 48 hex digits.
func NewSecret(rand io.Reader) string {
	var b [24]byte
	fill(rand, b[:])
	return hex.EncodeToString(b[:])
}

func fill(rand io.Reader, b []byte) {
	if _, err := io.ReadFull(rand, b); err != nil {
		panic("lift: no random bytes: " + err.Error())
	}
}

// ARNs in the forms of behaviour 0.2. Fleets, aliases and game sessions carry
// no account, builds and queues do; clients check the aws partition.

func FleetARN(region string, id FleetID) string {
	return "arn:aws:gamelift:" + region + "::fleet/" + string(id)
}
func AliasARN(region string, id AliasID) string {
	return "arn:aws:gamelift:" + region + "::alias/" + string(id)
}

func BuildARN(region, account string, id BuildID) string {
	return "arn:aws:gamelift:" + region + ":" + account + ":build/" + string(id)
}

func QueueARN(region, account, name string) string {
	return "arn:aws:gamelift:" + region + ":" + account + ":gamesessionqueue/" + name
}

// GameSessionARN makes the id of a game session from its fleet and the string
// that is unique in it: the caller's idempotency token or a generated one.
func GameSessionARN(region string, fleet FleetID, id string) GameSessionID {
	return GameSessionID("arn:aws:gamelift:" + region + "::gamesession/" + string(fleet) + "/" + id)
}

// ARNRegion returns the region in an ARN, "" if s is none.
func ARNRegion(s string) string {
	parts := strings.SplitN(s, ":", 6)
	if len(parts) != 6 || parts[0] != "arn" {
		return ""
	}
	return parts[3]
}

// Resource returns the last part of an ARN of the given type ("fleet",
// "gamesessionqueue", ...), or s itself if it is no ARN. So an operation takes
// an id and an ARN alike (behaviour 0.1). An ARN of another type comes back
// whole, and then names nothing.
func Resource(s, typ string) string {
	if !strings.HasPrefix(s, "arn:") {
		return s
	}
	parts := strings.SplitN(s, ":", 6)
	if len(parts) != 6 || !strings.HasPrefix(parts[5], typ+"/") {
		return s
	}
	return parts[5][len(typ)+1:]
}
