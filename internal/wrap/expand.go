package wrap

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/chairlift-games/chairlift/serversdk"
)

// Values is what placeholders stand for.
type Values struct {
	Port    int
	Address string
	Session serversdk.GameSession
}

// Placeholders lists what Expand replaces, for messages and help.
const Placeholders = "{port} {address} {session} {session.name} {session.data} {session.players} {property.KEY}"

// Expand replaces the placeholders in every argument. {property.KEY} is a game
// property, empty if the session has none of that name; a default may follow:
// {property.map:dm1}. {{ and }} stand for braces. An unknown placeholder is an
// error, since it is likely a typing mistake.
func Expand(args []string, v Values) ([]string, error) {
	out := make([]string, len(args))
	for i, a := range args {
		s, err := expand(a, v)
		if err != nil {
			return nil, err
		}
		out[i] = s
	}
	return out, nil
}

func expand(s string, v Values) (string, error) {
	var b strings.Builder
	for s != "" {
		i := strings.IndexAny(s, "{}")
		if i < 0 {
			break
		}
		b.WriteString(s[:i])
		s = s[i:]
		if strings.HasPrefix(s, "{{") || strings.HasPrefix(s, "}}") {
			b.WriteByte(s[0])
			s = s[2:]
			continue
		}
		end := strings.IndexByte(s, '}')
		if s[0] == '}' || end < 0 {
			return "", fmt.Errorf("a single %q in an argument; write %q for the character itself", s[0], s[:1]+s[:1])
		}
		val, err := v.value(s[1:end])
		if err != nil {
			return "", err
		}
		b.WriteString(val)
		s = s[end+1:]
	}
	b.WriteString(s)
	return b.String(), nil
}

func (v Values) value(name string) (string, error) {
	switch name {
	case "port":
		return strconv.Itoa(v.Port), nil
	case "address":
		return v.Address, nil
	case "session":
		return v.Session.GameSessionID, nil
	case "session.name":
		return v.Session.Name, nil
	case "session.data":
		return v.Session.GameSessionData, nil
	case "session.players":
		return strconv.Itoa(v.Session.MaximumPlayerSessionCount), nil
	}
	if key, ok := strings.CutPrefix(name, "property."); ok {
		key, otherwise, _ := strings.Cut(key, ":")
		if val, ok := v.Session.GameProperties[key]; ok {
			return val, nil
		}
		return otherwise, nil
	}
	return "", fmt.Errorf("unknown placeholder {%s}; there are %s", name, Placeholders)
}
