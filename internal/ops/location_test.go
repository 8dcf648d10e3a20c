package ops

import (
	"strings"
	"testing"

	"github.com/chairlift-games/chairlift/api"
	"github.com/chairlift-games/chairlift/internal/lift"
)

func TestLocations(t *testing.T) {
	w := newWorld(t)
	for _, name := range []string{"custom-c", "custom-a", "custom-b"} {
		l := must(w.CreateLocation(w.ctx, &api.CreateLocationInput{LocationName: name, Tags: []api.Tag{{Key: "k", Value: "v"}}}))(t).Location
		if *l.LocationName != name || *l.LocationArn != "arn:aws:gamelift:us-west-2::location/"+name {
			t.Errorf("got %+v", l)
		}
		if tags := must(w.ListTagsForResource(w.ctx, &api.ListTagsForResourceInput{ResourceARN: *l.LocationArn}))(t).Tags; len(tags) != 1 {
			t.Errorf("tags %v", tags)
		}
	}
	_, err := w.CreateLocation(w.ctx, &api.CreateLocationInput{LocationName: "custom-a"})
	refused(t, err, lift.Conflict, "custom-a")
	_, err = w.CreateLocation(w.ctx, &api.CreateLocationInput{LocationName: "custom-d", Tags: []api.Tag{{Key: "aws:k"}}})
	refused(t, err, lift.TaggingFailed, "reserved")
	if err := api.Check(&api.CreateLocationInput{LocationName: "my-place"}); err == nil {
		t.Error("a location without custom- passes the checks of fields")
	}

	for _, c := range []struct {
		filters []string
		want    string
	}{
		{nil, "us-west-2 custom-a custom-b custom-c"},
		{[]string{"AWS"}, "us-west-2"},
		{[]string{"CUSTOM"}, "custom-a custom-b custom-c"},
		{[]string{"CUSTOM", "AWS"}, "us-west-2 custom-a custom-b custom-c"},
	} {
		for limit := 1; limit <= 5; limit++ {
			var got []string
			in := &api.ListLocationsInput{Filters: c.filters, Limit: &limit}
			for {
				out := must(w.ListLocations(w.ctx, in))(t)
				if len(out.Locations) == 0 || len(out.Locations) > limit {
					t.Fatalf("a page of %d, the limit is %d", len(out.Locations), limit)
				}
				for _, l := range out.Locations {
					got = append(got, *l.LocationName)
				}
				if in.NextToken = out.NextToken; in.NextToken == nil {
					break
				}
			}
			if strings.Join(got, " ") != c.want {
				t.Errorf("%v by %d: got %q, want %q", c.filters, limit, got, c.want)
			}
		}
	}
	token := must(w.ListLocations(w.ctx, &api.ListLocationsInput{Limit: new(1)}))(t).NextToken
	_, err = w.ListLocations(w.ctx, &api.ListLocationsInput{Filters: []string{"CUSTOM"}, NextToken: token})
	refused(t, err, lift.InvalidRequest, "NextToken")

	must(w.DeleteLocation(w.ctx, &api.DeleteLocationInput{LocationName: "custom-a"}))(t)
	must(w.DeleteLocation(w.ctx, &api.DeleteLocationInput{LocationName: "arn:aws:gamelift:us-west-2::location/custom-b"}))(t)
	_, err = w.DeleteLocation(w.ctx, &api.DeleteLocationInput{LocationName: "custom-a"})
	refused(t, err, lift.NotFound, "custom-a")
	_, err = w.DeleteLocation(w.in("eu-west-1"), &api.DeleteLocationInput{LocationName: "custom-c"})
	refused(t, err, lift.NotFound, "eu-west-1")
}

// A fleet has its home region and, so far, nothing else.
func TestFleetLocations(t *testing.T) {
	s := newStage(t)
	in := func(at ...string) (ls []api.LocationConfiguration) {
		for _, l := range at {
			ls = append(ls, api.LocationConfiguration{Location: l})
		}
		return ls
	}
	for _, locations := range [][]string{nil, {"us-west-2"}} {
		out := must(s.DescribeFleetLocationAttributes(s.ctx, &api.DescribeFleetLocationAttributesInput{FleetId: s.fleet, Locations: locations}))(t)
		if len(out.LocationAttributes) != 1 || *out.LocationAttributes[0].LocationState.Location != "us-west-2" || *out.LocationAttributes[0].LocationState.Status != "ACTIVE" || *out.FleetId != s.fleet {
			t.Errorf("got %+v", out)
		}
	}
	capacity := must(s.DescribeFleetLocationCapacity(s.ctx, &api.DescribeFleetLocationCapacityInput{FleetId: s.fleet, Location: "us-west-2"}))(t).FleetCapacity
	if *capacity.InstanceCounts.ACTIVE != 1 || *capacity.Location != "us-west-2" {
		t.Errorf("got %+v", capacity)
	}
	u := must(s.DescribeFleetLocationUtilization(s.ctx, &api.DescribeFleetLocationUtilizationInput{FleetId: *s.arn(s.fleet), Location: "us-west-2"}))(t).FleetUtilization
	if *u.ActiveGameSessionCount == 0 || *u.Location != "us-west-2" {
		t.Errorf("got %+v", u)
	}
	refusals(t, s.world, []refusal{
		{&api.CreateFleetLocationsInput{FleetId: "fleet-none", Locations: in("eu-west-1")}, lift.NotFound, "fleet-none"},
		{&api.CreateFleetLocationsInput{FleetId: s.leaving, Locations: in("eu-west-1")}, lift.InvalidFleetStatus, "deleted"},
		{&api.CreateFleetLocationsInput{FleetId: s.fleet, Locations: in("eu-west-1")}, lift.InvalidRequest, "not built yet"},
		{&api.CreateFleetLocationsInput{FleetId: s.fleet, Locations: in("us-west-2")}, lift.InvalidRequest, "already"},
		{&api.DeleteFleetLocationsInput{FleetId: "fleet-none", Locations: []string{"eu-west-1"}}, lift.NotFound, "fleet-none"},
		{&api.DeleteFleetLocationsInput{FleetId: s.fleet, Locations: []string{"eu-west-1"}}, lift.NotFound, "eu-west-1"},
		{&api.DeleteFleetLocationsInput{FleetId: s.fleet, Locations: []string{"us-west-2"}}, lift.InvalidRequest, "DeleteFleet"},
		{&api.DescribeFleetLocationAttributesInput{FleetId: "fleet-none"}, lift.NotFound, "fleet-none"},
		{&api.DescribeFleetLocationAttributesInput{FleetId: s.fleet, Locations: []string{"us-west-2", "eu-west-1"}}, lift.NotFound, "eu-west-1"},
		{&api.DescribeFleetLocationAttributesInput{FleetId: s.fleet, NextToken: new("x")}, lift.InvalidRequest, "NextToken"},
		{&api.DescribeFleetLocationCapacityInput{FleetId: "fleet-none", Location: "us-west-2"}, lift.NotFound, "fleet-none"},
		{&api.DescribeFleetLocationCapacityInput{FleetId: s.fleet, Location: "eu-west-1"}, lift.NotFound, "eu-west-1"},
		{&api.DescribeFleetLocationUtilizationInput{FleetId: s.fleet, Location: "eu-west-1"}, lift.NotFound, "eu-west-1"},
	})
}
