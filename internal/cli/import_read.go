package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/chairlift-games/chairlift/api"
)

// An account is what files say of an account on another service.
type account struct {
	builds         map[string]api.Build // by id
	fleets         []api.FleetAttributes
	runtimes       map[string]api.RuntimeConfiguration // by fleet id
	ports          map[string][]api.IpPermission
	capacities     map[string]api.EC2InstanceCounts
	policies       map[string][]api.ScalingPolicy
	locations      []api.LocationModel
	remote         map[string][]string // by fleet id, its locations apart from the region's own
	aliases        []api.Alias
	queues         []api.GameSessionQueue
	ruleSets       []api.MatchmakingRuleSet
	configurations []api.MatchmakingConfiguration

	unread []string // what was met and means nothing here, in sentences
}

func newAccount() *account {
	return &account{
		builds: map[string]api.Build{}, runtimes: map[string]api.RuntimeConfiguration{}, ports: map[string][]api.IpPermission{},
		capacities: map[string]api.EC2InstanceCounts{}, policies: map[string][]api.ScalingPolicy{}, remote: map[string][]string{},
	}
}

// read adds a file: one or more JSON objects as the AWS CLI prints them. What an
// object is, its members say; whose runtime configuration or ports it holds may
// be said by a fleet's id in the file's name.
func (a *account) read(name string, r io.Reader) error {
	dec := json.NewDecoder(r)
	for n := 1; ; n++ {
		var members map[string]json.RawMessage
		err := dec.Decode(&members)
		if errors.Is(err, io.EOF) && n > 1 {
			return nil
		}
		if errors.Is(err, io.EOF) {
			return fmt.Errorf("%s is empty; it should hold what an aws gamelift describe or list command prints with --output json", name)
		}
		if err != nil {
			return fmt.Errorf("%s is not JSON as the AWS CLI prints it: %w", name, err)
		}
		if err := a.take(name, members); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
}

var fleetID = regexp.MustCompile(`fleet-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}`)

// take adds one object.
func (a *account) take(file string, members map[string]json.RawMessage) error {
	fleet := fleetID.FindString(filepath.Base(file))
	if id := members["FleetId"]; id != nil {
		if err := json.Unmarshal(id, &fleet); err != nil {
			return fmt.Errorf("FleetId: %w", err)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(members)) {
		text := members[name]
		var err error
		switch name {
		case "FleetAttributes":
			err = decodeList(text, &a.fleets)
		case "Builds", "Build":
			var list []api.Build
			err = decodeList(text, &list)
			for _, b := range list {
				a.builds[deref(b.BuildId)] = b
			}
		case "RuntimeConfiguration":
			var c api.RuntimeConfiguration
			err = decode(text, &c)
			a.runtimes[fleet] = c
		case "InboundPermissions":
			var list []api.IpPermission
			err = decodeList(text, &list)
			a.ports[fleet] = append(a.ports[fleet], list...)
		case "FleetCapacity":
			var list []api.FleetCapacity
			err = decodeList(text, &list)
			for _, c := range list {
				if at := deref(c.Location); at != "" && !strings.Contains(deref(c.FleetArn), ":"+at+":") {
					a.at(deref(c.FleetId), at) // as describe-fleet-location-capacity prints it
				} else if c.InstanceCounts != nil {
					a.capacities[deref(c.FleetId)] = *c.InstanceCounts
				}
			}
		case "ScalingPolicies":
			var list []api.ScalingPolicy
			err = decodeList(text, &list)
			for _, p := range list {
				a.policies[deref(p.FleetId)] = append(a.policies[deref(p.FleetId)], p)
			}
		case "Locations":
			err = decodeList(text, &a.locations)
		case "LocationAttributes":
			var list []api.LocationAttributes
			err = decodeList(text, &list)
			arn := ""
			_ = json.Unmarshal(members["FleetArn"], &arn)
			for _, l := range list {
				if at := deref(deref(l.LocationState).Location); at != "" && !strings.Contains(arn, ":"+at+":") {
					a.at(fleet, at)
				}
			}
		case "Aliases", "Alias":
			err = decodeList(text, &a.aliases)
		case "GameSessionQueues":
			err = decodeList(text, &a.queues)
		case "RuleSets":
			err = decodeList(text, &a.ruleSets)
		case "Configurations":
			err = decodeList(text, &a.configurations)
		case "NextToken":
			a.unread = append(a.unread, fmt.Sprintf("%s: there were more pages than this file holds; run the command again without --no-paginate and --max-items", file))
		case "FleetId", "FleetArn", "Location", "UpdateStatus", "FleetIds":
		default:
			why := staysThere[name]
			if why == "" {
				why = "is nothing that can be carried over"
			}
			a.unread = append(a.unread, fmt.Sprintf("%s: %s %s", file, name, why))
		}
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// at notes that a fleet has a location besides that of its region.
func (a *account) at(fleet, location string) {
	if !slices.Contains(a.remote[fleet], location) {
		a.remote[fleet] = append(a.remote[fleet], location)
	}
}

// staysThere says why some of what the AWS CLI prints means nothing here.
var staysThere = map[string]string{
	"Scripts":               "cannot be carried over: the service never gives a script's files back, so create them here again",
	"GameSessions":          "live on the game servers there and end there",
	"GameSessionDetails":    "live on the game servers there and end there",
	"PlayerSessions":        "live on the game servers there and end there",
	"Instances":             "are machines there; a fleet here starts its own",
	"ComputeList":           "are machines there; a fleet here starts its own",
	"Events":                "are the past of a fleet there",
	"FleetUtilization":      "are figures of the moment",
	"TicketList":            "are tickets that wait there",
	"EC2InstanceLimits":     "are limits of the account there",
	"GameServerGroups":      "lead to Auto Scaling groups and roles there; create them here again",
	"Tags":                  "do not say what they belong to",
	"ContainerFleets":       "cannot be carried over: container fleets are not built here",
	"VpcPeeringConnections": "are between networks there",
}

// settle gives what names no fleet to the only one there is, and puts
// everything into one order.
func (a *account) settle() {
	for _, id := range []string{""} {
		_, runtime := a.runtimes[id]
		_, ports := a.ports[id]
		switch {
		case !runtime && !ports:
		case len(a.fleets) == 1:
			only := deref(a.fleets[0].FleetId)
			if c, ok := a.runtimes[id]; ok {
				a.runtimes[only] = c
			}
			a.ports[only] = append(a.ports[only], a.ports[id]...)
		default:
			a.unread = append(a.unread, "a RuntimeConfiguration or InboundPermissions names no fleet; put the fleet's id into the name of its file: runtime-fleet-….json")
		}
		delete(a.runtimes, id)
		delete(a.ports, id)
	}
	for _, id := range a.undescribed() {
		a.unread = append(a.unread, "something is said of fleet "+id+" but not what it is; add what aws gamelift describe-fleet-attributes prints")
	}
	slices.SortFunc(a.fleets, func(x, y api.FleetAttributes) int { return strings.Compare(deref(x.FleetId), deref(y.FleetId)) })
	slices.SortFunc(a.aliases, func(x, y api.Alias) int { return strings.Compare(deref(x.AliasId), deref(y.AliasId)) })
	slices.SortFunc(a.queues, func(x, y api.GameSessionQueue) int { return strings.Compare(deref(x.Name), deref(y.Name)) })
	slices.SortFunc(a.ruleSets, func(x, y api.MatchmakingRuleSet) int {
		return strings.Compare(deref(x.RuleSetName), deref(y.RuleSetName))
	})
	slices.SortFunc(a.configurations, func(x, y api.MatchmakingConfiguration) int {
		return strings.Compare(deref(x.Name), deref(y.Name))
	})
}

// undescribed lists the fleets of which something is known but their attributes.
func (a *account) undescribed() []string {
	some := map[string]bool{}
	for _, ids := range []iter.Seq[string]{maps.Keys(a.runtimes), maps.Keys(a.ports), maps.Keys(a.capacities), maps.Keys(a.policies), maps.Keys(a.remote)} {
		for id := range ids {
			some[id] = true
		}
	}
	delete(some, "")
	for _, f := range a.fleets {
		delete(some, deref(f.FleetId))
	}
	return sorted(some)
}

// decodeList adds a list's elements to into, or a single object.
func decodeList[T any](text json.RawMessage, into *[]T) error {
	var list []json.RawMessage
	if len(text) > 0 && text[0] == '[' {
		if err := json.Unmarshal(text, &list); err != nil {
			return err
		}
	} else {
		list = []json.RawMessage{text}
	}
	for i, e := range list {
		var v T
		if err := decode(e, &v); err != nil {
			return fmt.Errorf("[%d]: %w", i, err)
		}
		*into = append(*into, v)
	}
	return nil
}

// decode reads an object without its times, which versions of the CLI print in
// different forms and which mean nothing here.
func decode(text json.RawMessage, into any) error {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(text, &members); err != nil {
		return err
	}
	for name := range members {
		if strings.HasSuffix(name, "Time") {
			delete(members, name)
		}
	}
	text, err := json.Marshal(members)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, into)
}
