package ops

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/chairlift-games/chairlift/api"
	"github.com/chairlift-games/chairlift/internal/engine"
	"github.com/chairlift-games/chairlift/internal/lift"
	"github.com/chairlift-games/chairlift/internal/match/rules"
	"github.com/chairlift-games/chairlift/internal/store"
)

func (s *Service) CreateMatchmakingConfiguration(ctx context.Context, in *api.CreateMatchmakingConfigurationInput) (*api.CreateMatchmakingConfigurationOutput, error) {
	c := s.caller(ctx)
	tags, err := tagsOf(in.Tags)
	if err != nil {
		return nil, err
	}
	if in.Name == "" {
		return nil, invalid("Name must not be empty")
	}
	settings := &api.UpdateMatchmakingConfigurationInput{
		Name: in.Name, Description: in.Description, GameSessionQueueArns: in.GameSessionQueueArns,
		RequestTimeoutSeconds: &in.RequestTimeoutSeconds, AcceptanceTimeoutSeconds: in.AcceptanceTimeoutSeconds, AcceptanceRequired: &in.AcceptanceRequired,
		RuleSetName: &in.RuleSetName, NotificationTarget: in.NotificationTarget, AdditionalPlayerCount: in.AdditionalPlayerCount,
		CustomEventData: in.CustomEventData, GameProperties: in.GameProperties, GameSessionData: in.GameSessionData,
		BackfillMode: in.BackfillMode, FlexMatchMode: in.FlexMatchMode,
	}
	return once(ctx, s, func(tx *engine.Tx) (*api.CreateMatchmakingConfigurationOutput, error) {
		m := &lift.MatchmakingConfiguration{
			Name: in.Name, Region: c.Region, Account: c.Account, Mode: lift.WithQueue, Backfill: lift.BackfillManual, CreatedAt: tx.Now, Tags: tags,
		}
		if _, exists, err := store.Configurations.Get(tx, store.InRegion(m.Region, m.Name)); err != nil || exists {
			return nil, cmp.Or(err, invalid("there is a matchmaking configuration %s already; UpdateMatchmakingConfiguration changes it", m.Name))
		}
		if err := s.matchBy(tx, c, m, settings); err != nil {
			return nil, err
		}
		if err := under(tx, s.rules.Matchmakers, store.Configurations, "", c.Region+"/"); err != nil {
			return nil, err
		}
		return &api.CreateMatchmakingConfigurationOutput{Configuration: configurationShape(m)}, store.Configurations.Put(tx, m)
	})
}

// UpdateMatchmakingConfiguration changes the members given; lists replace what
// was there completely. It affects matches made afterwards (flexmatch 10.3).
func (s *Service) UpdateMatchmakingConfiguration(ctx context.Context, in *api.UpdateMatchmakingConfigurationInput) (*api.UpdateMatchmakingConfigurationOutput, error) {
	c := s.caller(ctx)
	return change(ctx, s, func(tx *engine.Tx) (*api.UpdateMatchmakingConfigurationOutput, error) {
		m, err := c.configuration(tx, in.Name)
		if err != nil {
			return nil, err
		}
		if err := s.matchBy(tx, c, m, in); err != nil {
			return nil, err
		}
		return &api.UpdateMatchmakingConfigurationOutput{Configuration: configurationShape(m)}, store.Configurations.Put(tx, m)
	})
}

// matchBy gives m the settings that a request names, and refuses those that do
// not go together.
func (s *Service) matchBy(tx store.Tx, c caller, m *lift.MatchmakingConfiguration, in *api.UpdateMatchmakingConfigurationInput) error {
	m.Description = or(in.Description, m.Description)
	m.RequestTimeoutSeconds = or(in.RequestTimeoutSeconds, m.RequestTimeoutSeconds)
	m.AcceptanceRequired = or(in.AcceptanceRequired, m.AcceptanceRequired)
	m.AcceptanceTimeoutSeconds = or(in.AcceptanceTimeoutSeconds, m.AcceptanceTimeoutSeconds)
	m.AdditionalPlayers = or(in.AdditionalPlayerCount, m.AdditionalPlayers)
	m.CustomEventData = or(in.CustomEventData, m.CustomEventData)
	m.NotificationTarget = or(in.NotificationTarget, m.NotificationTarget)
	s.checkTopic(in.NotificationTarget, m.ARN())
	m.Data = or(in.GameSessionData, m.Data)
	m.Mode = lift.FlexMatchMode(or(in.FlexMatchMode, string(m.Mode)))
	m.Backfill = lift.BackfillMode(or(in.BackfillMode, string(m.Backfill)))
	if in.GameProperties != nil {
		m.Properties = properties(in.GameProperties)
	}
	if in.GameSessionQueueArns != nil {
		m.Queues = slices.Clone(in.GameSessionQueueArns)
	}
	if m.Mode == lift.Standalone && in.GameSessionQueueArns == nil {
		m.Queues = nil // those of a mode that was left
	}
	if m.Mode == lift.Standalone && in.BackfillMode == nil {
		m.Backfill = lift.BackfillManual
	}
	if err := checkMode(m); err != nil {
		return err
	}
	if m.AcceptanceRequired && m.AcceptanceTimeoutSeconds == 0 {
		return invalid("AcceptanceRequired is true, so AcceptanceTimeoutSeconds is required: how long players may take to answer")
	}
	if in.GameSessionQueueArns != nil {
		for i, arn := range m.Queues {
			if err := checkQueue(tx, c, arn); err != nil {
				return inMember(err, "GameSessionQueueArns[%d]", i)
			}
		}
	}
	r, err := c.ruleSet(tx, or(in.RuleSetName, m.RuleSet))
	if err != nil {
		return err
	}
	m.RuleSet = r.Name
	set, err := parseRules(r.Body)
	if err != nil {
		return err
	}
	if err := checkSeats(m, set); err != nil {
		return err
	}
	timeout := time.Duration(m.RequestTimeoutSeconds) * time.Second
	if last := set.Levels[len(set.Levels)-1].Age; last > 0 && last >= timeout {
		s.log.Warn("an expansion of the rule set comes into force when tickets have timed out already", "configuration", m.Name, "ruleSet", r.Name, "expansion", last, "requestTimeout", timeout)
	}
	// The rule set is written as it is, so that its deletion by another server at
	// the same time conflicts.
	return store.RuleSets.Put(tx, r)
}

// checkMode refuses members that do not go with the FlexMatchMode.
func checkMode(m *lift.MatchmakingConfiguration) error {
	switch {
	case m.Mode == lift.WithQueue && len(m.Queues) == 0:
		return invalid("FlexMatchMode is WITH_QUEUE, so GameSessionQueueArns must name a queue; a matchmaker without game sessions is STANDALONE")
	case m.Mode == lift.Standalone && len(m.Queues) > 0:
		return invalid("FlexMatchMode is STANDALONE, so GameSessionQueueArns must be left out; with queues it is WITH_QUEUE")
	case m.Mode == lift.Standalone && m.Backfill == lift.BackfillAutomatic:
		return invalid("FlexMatchMode is STANDALONE, so BackfillMode must be MANUAL: automatic backfill needs game sessions")
	}
	return nil
}

// checkQueue refuses what is no ARN of a queue that exists, in whatever region.
func checkQueue(tx store.Tx, c caller, arn string) error {
	if lift.ARNRegion(arn) == "" || lift.Resource(arn, "gamesessionqueue") == arn {
		return invalid("must be the ARN of a game session queue, got %.100q", arn)
	}
	c.Region = lift.ARNRegion(arn)
	_, err := c.queue(tx, arn)
	return err
}

// checkSeats refuses an AdditionalPlayerCount that leaves no room for any match
// (flexmatch 10.3). It means nothing with STANDALONE.
func checkSeats(m *lift.MatchmakingConfiguration, set *rules.Set) error {
	if m.Mode == lift.Standalone || m.AdditionalPlayers == 0 {
		return nil
	}
	seats := 0
	for level := range set.Levels {
		least := 0
		for t := range set.Teams {
			least += set.Size(level, t).Min
		}
		if set.Seats(level)-m.AdditionalPlayers >= max(least, 1) {
			return nil
		}
		seats = max(seats, set.Seats(level))
	}
	return invalid("AdditionalPlayerCount keeps %d of the %d seats of rule set %s free, so no team sizes make a match; lower it, or minPlayers in the rule set", m.AdditionalPlayers, seats, m.RuleSet)
}

// DeleteMatchmakingConfiguration removes a configuration that no live ticket
// uses (flexmatch 10.3).
func (s *Service) DeleteMatchmakingConfiguration(ctx context.Context, in *api.DeleteMatchmakingConfigurationInput) (*api.DeleteMatchmakingConfigurationOutput, error) {
	c := s.caller(ctx)
	return change(ctx, s, func(tx *engine.Tx) (*api.DeleteMatchmakingConfigurationOutput, error) {
		m, err := c.configuration(tx, in.Name)
		if err != nil {
			return nil, err
		}
		id := store.InRegion(m.Region, m.Name)
		live, _, err := store.Tickets.Scan(tx, "live", id+"/", store.Cursor{}, 1)
		if err != nil {
			return nil, err
		}
		if len(live) > 0 {
			return nil, invalid("matchmaking ticket %s is %s and uses matchmaking configuration %s; wait for it or stop it first", live[0].ID, live[0].Status, m.Name)
		}
		if err := store.Waits.Delete(tx, id); err != nil {
			return nil, err
		}
		if err := store.Configurations.Delete(tx, id); err != nil {
			return nil, err
		}
		return &api.DeleteMatchmakingConfigurationOutput{}, store.Leases.Delete(tx, store.MatchLease(id))
	})
}

// DescribeMatchmakingConfigurations lists configurations by name, or those that
// use a rule set; names that are not there are left out.
func (s *Service) DescribeMatchmakingConfigurations(ctx context.Context, in *api.DescribeMatchmakingConfigurationsInput) (*api.DescribeMatchmakingConfigurationsOutput, error) {
	c := s.caller(ctx)
	ruleSet := ""
	if in.RuleSetName != nil {
		ruleSet = c.name(*in.RuleSetName, "matchmakingruleset")
	}
	var p page
	if in.Names == nil {
		var err error
		limit := min(or(in.Limit, matchmakingPage), matchmakingPage)
		if p, err = s.page(c, &limit, in.NextToken, "DescribeMatchmakingConfigurations", ruleSet); err != nil {
			return nil, err
		}
	}
	return read(ctx, s, func(tx store.Tx) (*api.DescribeMatchmakingConfigurationsOutput, error) {
		if in.Names == nil {
			index, prefix := "", c.Region+"/"
			if ruleSet != "" {
				index, prefix = "ruleset", store.InRegion(c.Region, ruleSet)+"/"
			}
			ms, next, err := list(tx, p, store.Configurations, index, prefix, nil)
			return &api.DescribeMatchmakingConfigurationsOutput{Configurations: shapes(ms, configurationShape), NextToken: next}, err
		}
		var ms []*lift.MatchmakingConfiguration
		for _, name := range in.Names {
			m, err := c.configuration(tx, name)
			switch {
			case err == nil && (ruleSet == "" || m.RuleSet == ruleSet):
				ms = append(ms, m)
			case err == nil: // uses another rule set
			case !isKind(err, lift.NotFound):
				return nil, err
			}
		}
		return &api.DescribeMatchmakingConfigurationsOutput{Configurations: shapes(ms, configurationShape)}, nil
	})
}

func configurationShape(m *lift.MatchmakingConfiguration) *api.MatchmakingConfiguration {
	ruleSet := lift.RuleSet{Name: m.RuleSet, Region: m.Region, Account: m.Account}
	out := &api.MatchmakingConfiguration{
		Name: opt(m.Name), ConfigurationArn: opt(m.ARN()), Description: opt(m.Description), GameSessionQueueArns: m.Queues,
		RequestTimeoutSeconds: new(m.RequestTimeoutSeconds), AcceptanceTimeoutSeconds: positive(m.AcceptanceTimeoutSeconds),
		AcceptanceRequired: new(m.AcceptanceRequired), RuleSetName: opt(m.RuleSet), RuleSetArn: opt(ruleSet.ARN()),
		NotificationTarget: opt(m.NotificationTarget), CustomEventData: opt(m.CustomEventData), CreationTime: m.CreatedAt,
		GameSessionData: opt(m.Data), BackfillMode: opt(m.Backfill), FlexMatchMode: opt(m.Mode),
	}
	if m.Mode == lift.WithQueue {
		out.AdditionalPlayerCount = new(m.AdditionalPlayers)
		out.GameProperties = propertyShapes(m.Properties)
	}
	return out
}
