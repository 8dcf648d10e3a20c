package ops

import (
	"cmp"
	"context"

	"github.com/chairlift-games/chairlift/api"
	"github.com/chairlift-games/chairlift/internal/engine"
	"github.com/chairlift-games/chairlift/internal/lift"
	"github.com/chairlift-games/chairlift/internal/match/rules"
	"github.com/chairlift-games/chairlift/internal/store"
)

// matchmakingPage is the size of a page of rule sets or configurations, by
// default and at most (flexmatch 1).
const matchmakingPage = 10

// parseRules reads a rule set. Everything that is wrong with it stands in one
// error, so that its author mends it in one go (flexmatch 9).
func parseRules(body string) (*rules.Set, error) {
	set, findings := rules.Parse(body)
	switch n := findings.Errors(); {
	case n == 1:
		return nil, invalid("the rule set is not valid: %s", findings.Error())
	case n > 1:
		return nil, invalid("the rule set is not valid, for %d reasons:\n%s", n, findings.Error())
	}
	return set, nil
}

// ValidateMatchmakingRuleSet answers that a rule set is valid, or fails with
// every reason why it is not.
func (s *Service) ValidateMatchmakingRuleSet(_ context.Context, in *api.ValidateMatchmakingRuleSetInput) (*api.ValidateMatchmakingRuleSetOutput, error) {
	if _, err := parseRules(in.RuleSetBody); err != nil {
		return nil, err
	}
	return &api.ValidateMatchmakingRuleSetOutput{Valid: new(true)}, nil
}

// CreateMatchmakingRuleSet keeps a valid rule set. It cannot be changed later.
func (s *Service) CreateMatchmakingRuleSet(ctx context.Context, in *api.CreateMatchmakingRuleSetInput) (*api.CreateMatchmakingRuleSetOutput, error) {
	c := s.caller(ctx)
	tags, err := tagsOf(in.Tags)
	if err != nil {
		return nil, err
	}
	if in.Name == "" {
		return nil, invalid("Name must not be empty")
	}
	if _, err := parseRules(in.RuleSetBody); err != nil {
		return nil, err
	}
	return once(ctx, s, func(tx *engine.Tx) (*api.CreateMatchmakingRuleSetOutput, error) {
		r := &lift.RuleSet{Name: in.Name, Region: c.Region, Account: c.Account, Body: in.RuleSetBody, CreatedAt: tx.Now, Tags: tags}
		if _, exists, err := store.RuleSets.Get(tx, store.InRegion(r.Region, r.Name)); err != nil || exists {
			return nil, cmp.Or(err, invalid("there is a matchmaking rule set %s already, and rule sets cannot be changed; choose another name, then let UpdateMatchmakingConfiguration use it", r.Name))
		}
		return &api.CreateMatchmakingRuleSetOutput{RuleSet: ruleSetShape(r)}, store.RuleSets.Put(tx, r)
	})
}

// DeleteMatchmakingRuleSet removes a rule set that no configuration uses.
func (s *Service) DeleteMatchmakingRuleSet(ctx context.Context, in *api.DeleteMatchmakingRuleSetInput) (*api.DeleteMatchmakingRuleSetOutput, error) {
	c := s.caller(ctx)
	return change(ctx, s, func(tx *engine.Tx) (*api.DeleteMatchmakingRuleSetOutput, error) {
		r, err := c.ruleSet(tx, in.Name)
		if err != nil {
			return nil, err
		}
		id := store.InRegion(r.Region, r.Name)
		users, _, err := store.Configurations.Scan(tx, "ruleset", id+"/", store.Cursor{}, 1)
		if err != nil {
			return nil, err
		}
		if len(users) > 0 {
			return nil, invalid("matchmaking configuration %s uses rule set %s; delete it or let it use another one first", users[0].Name, r.Name)
		}
		return &api.DeleteMatchmakingRuleSetOutput{}, store.RuleSets.Delete(tx, id)
	})
}

// DescribeMatchmakingRuleSets lists rule sets by name. One that is asked for
// and is not there is an error.
func (s *Service) DescribeMatchmakingRuleSets(ctx context.Context, in *api.DescribeMatchmakingRuleSetsInput) (*api.DescribeMatchmakingRuleSetsOutput, error) {
	c := s.caller(ctx)
	var p page
	if in.Names == nil {
		var err error
		if p, err = s.page(c, new(or(in.Limit, matchmakingPage)), in.NextToken, "DescribeMatchmakingRuleSets"); err != nil {
			return nil, err
		}
	}
	return read(ctx, s, func(tx store.Tx) (*api.DescribeMatchmakingRuleSetsOutput, error) {
		if in.Names == nil {
			rs, next, err := list(tx, p, store.RuleSets, "", c.Region+"/", nil)
			return &api.DescribeMatchmakingRuleSetsOutput{RuleSets: shapes(rs, ruleSetShape), NextToken: next}, err
		}
		var rs []*lift.RuleSet
		for _, name := range in.Names {
			r, err := c.ruleSet(tx, name)
			if err != nil {
				return nil, err
			}
			rs = append(rs, r)
		}
		return &api.DescribeMatchmakingRuleSetsOutput{RuleSets: shapes(rs, ruleSetShape)}, nil
	})
}

func ruleSetShape(r *lift.RuleSet) *api.MatchmakingRuleSet {
	return &api.MatchmakingRuleSet{RuleSetName: opt(r.Name), RuleSetArn: opt(r.ARN()), RuleSetBody: r.Body, CreationTime: r.CreatedAt}
}
