package cli

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/chairlift-games/chairlift/internal/match"
	"github.com/chairlift-games/chairlift/internal/match/rules"
)

// A crowd makes tickets for a simulation from descriptions such as
// "normal:1500,350" or "choice:ctf*3,duel".
type crowd struct {
	r          *rand.Rand
	attributes []crowdAttribute
	parties    []weighted
	locations  []weighted
	n          int
}

type crowdAttribute struct {
	name string
	kind rules.Kind
	how  string // the description
	make func(r *rand.Rand) rules.Value
}

// weighted is an alternative with its weight.
type weighted struct {
	name   string
	weight float64
}

// parseWeighted reads "a*3,b": alternatives, with weight 1 unless given.
func parseWeighted(text string) ([]weighted, error) {
	var out []weighted
	for _, part := range strings.Split(text, ",") {
		name, w, given := strings.Cut(strings.TrimSpace(part), "*")
		weight := 1.0
		if given {
			var err error
			if weight, err = strconv.ParseFloat(w, 64); err != nil || weight <= 0 {
				return nil, fmt.Errorf("%q: the weight after * must be a positive number", part)
			}
		}
		if name == "" {
			return nil, fmt.Errorf("%q has an empty alternative", text)
		}
		out = append(out, weighted{name, weight})
	}
	return out, nil
}

func draw(r *rand.Rand, from []weighted) string {
	sum := 0.0
	for _, w := range from {
		sum += w.weight
	}
	x := r.Float64() * sum
	for _, w := range from {
		if x -= w.weight; x < 0 {
			return w.name
		}
	}
	return from[len(from)-1].name
}

const distributions = "normal:MEAN,DEVIATION, uniform:LOW,HIGH, choice:A*3,B, some:A,B,C, fixed:VALUE or default"

// parseAttribute reads how the values of one attribute are spread.
func parseAttribute(name string, kind rules.Kind, how string) (crowdAttribute, error) {
	a := crowdAttribute{name: name, kind: kind, how: how}
	bad := func(why string) (crowdAttribute, error) {
		return a, fmt.Errorf("attribute %s=%s: %s; known are %s", name, how, why, distributions)
	}
	word, rest, _ := strings.Cut(how, ":")
	numbers := func() (x, y float64, ok bool) {
		one, two, both := strings.Cut(rest, ",")
		x, err := strconv.ParseFloat(one, 64)
		y, err2 := strconv.ParseFloat(two, 64)
		return x, y, both && err == nil && err2 == nil
	}
	switch word {
	case "default":
		a.make = func(*rand.Rand) rules.Value { return rules.Value{} }
		return a, nil
	case "normal", "uniform":
		x, y, ok := numbers()
		if !ok || kind != rules.Number {
			return bad("needs two numbers and an attribute of type number")
		}
		a.make = func(r *rand.Rand) rules.Value {
			if word == "normal" {
				return rules.N(math.Round(x + y*r.NormFloat64()))
			}
			return rules.N(math.Round(x + (y-x)*r.Float64()))
		}
		return a, nil
	case "fixed":
		rest += "*1"
		fallthrough
	case "choice", "some":
		from, err := parseWeighted(rest)
		if err != nil {
			return bad(err.Error())
		}
		values := map[string]rules.Value{}
		for _, w := range from {
			v, err := valueOf(kind, w.name)
			if err != nil {
				return bad(err.Error())
			}
			values[w.name] = v
		}
		if word == "some" {
			if kind != rules.TextList {
				return bad("some is for attributes of type string_list")
			}
			a.make = func(r *rand.Rand) rules.Value {
				var list []string
				for len(list) == 0 {
					for _, w := range from {
						if r.IntN(2) == 0 {
							list = append(list, w.name)
						}
					}
				}
				return rules.SL(list...)
			}
			return a, nil
		}
		a.make = func(r *rand.Rand) rules.Value { return values[draw(r, from)] }
		return a, nil
	}
	return bad("unknown distribution")
}

// valueOf reads one value: a number, a string, strings joined by +, or
// key=number pairs joined by +.
func valueOf(kind rules.Kind, text string) (rules.Value, error) {
	switch kind {
	case rules.Number:
		f, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return rules.Value{}, fmt.Errorf("%q is not a number", text)
		}
		return rules.N(f), nil
	case rules.TextList:
		return rules.SL(strings.Split(text, "+")...), nil
	case rules.NumberMap:
		m := map[string]float64{}
		for _, pair := range strings.Split(text, "+") {
			k, v, _ := strings.Cut(pair, "=")
			f, err := strconv.ParseFloat(v, 64)
			if err != nil {
				return rules.Value{}, fmt.Errorf("%q is not key=number", pair)
			}
			m[k] = f
		}
		return rules.SDM(m), nil
	}
	return rules.S(text), nil
}

// newCrowd reads the descriptions; attributes of the sets that none mentions
// get their default, or something usual.
func newCrowd(seed uint64, attributes map[string]string, parties, locations string, sets []*rules.Set) (*crowd, error) {
	c := &crowd{r: rand.New(rand.NewPCG(seed, 0x5eed))}
	known := map[string]rules.Kind{}
	for _, set := range sets {
		for _, a := range set.Attributes {
			if _, ok := known[a.Name]; ok {
				continue
			}
			known[a.Name] = a.Kind
			how := attributes[a.Name]
			if how == "" {
				how = usual(a)
			}
			made, err := parseAttribute(a.Name, a.Kind, how)
			if err != nil {
				return nil, err
			}
			c.attributes = append(c.attributes, made)
		}
	}
	for name := range attributes {
		if _, ok := known[name]; !ok {
			return nil, fmt.Errorf("attribute %q is declared by no rule set", name)
		}
	}
	var err error
	if c.parties, err = parseWeighted(parties); err != nil {
		return nil, fmt.Errorf("--parties: %w", err)
	}
	for _, p := range c.parties {
		if n, err := strconv.Atoi(p.name); err != nil || n < 1 || n > 10 {
			return nil, fmt.Errorf("--parties: %q is not a party size from 1 to 10", p.name)
		}
	}
	needed := slices.ContainsFunc(sets, func(s *rules.Set) bool { return s.NeedsLatency() })
	if locations == "" && needed {
		locations = "us-east-1*2,eu-west-1*2,ap-northeast-1"
	}
	if locations != "" {
		if c.locations, err = parseWeighted(locations); err != nil {
			return nil, fmt.Errorf("--locations: %w", err)
		}
	}
	return c, nil
}

// usual is how an attribute nobody described is spread.
func usual(a rules.Attribute) string {
	switch {
	case a.Default.Kind != rules.Missing && a.Kind != rules.Number:
		return "default"
	case a.Kind == rules.Number && a.Default.Kind != rules.Missing && a.Default.N == 0:
		return "default"
	case a.Kind == rules.Number:
		return "normal:1500,350"
	case a.Kind == rules.NumberMap:
		return "fixed:any=1"
	}
	return "fixed:any"
}

// ticket makes the next ticket. Players of a party share most of their
// numbers: friends are of a kind.
func (c *crowd) ticket(start time.Time) match.Ticket {
	c.n++
	size, _ := strconv.Atoi(draw(c.r, c.parties))
	t := match.Ticket{ID: match.TicketID(fmt.Sprintf("t%d", c.n)), Start: start}
	home := ""
	if len(c.locations) > 0 {
		home = draw(c.r, c.locations)
	}
	shared := map[string]rules.Value{}
	for _, a := range c.attributes {
		shared[a.name] = a.make(c.r)
	}
	for i := range size {
		p := match.Player{ID: fmt.Sprintf("p%d.%d", c.n, i+1), Attributes: map[string]rules.Value{}}
		for _, a := range c.attributes {
			v := shared[a.name]
			if i > 0 && v.Kind == rules.Number && strings.HasPrefix(a.how, "normal") {
				v = rules.N(math.Round(0.8*v.N + 0.2*a.make(c.r).N))
			}
			if v.Kind != rules.Missing {
				p.Attributes[a.name] = v
			}
		}
		if home != "" {
			p.LatencyMS = map[string]int{}
			for _, l := range c.locations {
				if l.name == home {
					p.LatencyMS[l.name] = 15 + c.r.IntN(50)
				} else {
					p.LatencyMS[l.name] = 70 + c.r.IntN(150)
				}
			}
		}
		t.Players = append(t.Players, p)
	}
	return t
}

// describe says how the crowd was made, for the report.
func (c *crowd) describe() []string {
	var out []string
	for _, a := range c.attributes {
		out = append(out, a.name+"="+a.how)
	}
	return out
}
