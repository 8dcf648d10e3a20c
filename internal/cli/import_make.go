package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/chairlift-games/chairlift/api"
)

// importFleets makes the fleets whose builds are here.
func (m *importer) importFleets(ctx context.Context) error {
	arns := map[string]string{}
	for token := (*string)(nil); ; {
		out, err := m.api.DescribeFleetAttributes(ctx, &api.DescribeFleetAttributesInput{NextToken: token})
		if err != nil {
			return err
		}
		for _, f := range out.FleetAttributes {
			if s := deref(f.Status); s != "DELETING" && s != "TERMINATED" && s != "ERROR" {
				arns[deref(f.FleetId)] = deref(f.FleetArn)
			}
		}
		if token = out.NextToken; token == nil {
			break
		}
	}
	before, err := m.tagged(ctx, arns)
	if err != nil {
		return err
	}
	for _, f := range m.fleets {
		was := deref(f.FleetId)
		what := fmt.Sprintf("fleet %s (%s)", deref(f.Name), was)
		switch {
		case before[was] != "":
			m.here(what, was, before[was])
		case deref(f.ComputeType) != "" && deref(f.ComputeType) != "EC2":
			m.cannot("%s: its computes are of the kind %s", what, *f.ComputeType)
		case deref(f.Status) == "ERROR" || deref(f.Status) == "DELETING" || deref(f.Status) == "TERMINATED":
			m.cannot("%s: it is %s", what, *f.Status)
		case f.ScriptId != nil:
			m.cannot("%s: it runs the Realtime script %s", what, *f.ScriptId)
		case m.now[deref(f.BuildId)] == "":
			m.cannot("%s: its build %s is not here", what, deref(f.BuildId))
		default:
			if f.InstanceRoleCredentialsProvider != nil {
				m.cannot("InstanceRoleCredentialsProvider of %s: this service has no credentials of AWS to give to game servers", what)
			}
			if deref(f.CertificateConfiguration).CertificateType == "GENERATED" {
				m.cannot("the TLS certificate of %s: fleets have none here", what)
			}
			if g := deref(f.PlayerGatewayMode); g != "" && g != "DISABLED" {
				m.cannot("the player gateway of %s: there is none here; players connect to the game server", what)
			}
			for _, at := range m.remote[was] {
				m.cannot("location %s of %s: a fleet here has the one of its region", at, what)
			}
			m.make(what, was, func() (string, error) { return m.makeFleet(ctx, f) })
		}
	}
	return nil
}

func (m *importer) makeFleet(ctx context.Context, f api.FleetAttributes) (string, error) {
	was := deref(f.FleetId)
	in := &api.CreateFleetInput{
		Name: deref(f.Name), Description: f.Description, BuildId: new(m.now[deref(f.BuildId)]), EC2InstanceType: f.InstanceType, FleetType: f.FleetType,
		ServerLaunchPath: f.ServerLaunchPath, ServerLaunchParameters: f.ServerLaunchParameters, LogPaths: f.LogPaths,
		NewGameSessionProtectionPolicy: f.NewGameSessionProtectionPolicy, ResourceCreationLimitPolicy: f.ResourceCreationLimitPolicy,
		MetricGroups: f.MetricGroups, InstanceRoleArn: f.InstanceRoleArn,
		EC2InboundPermissions: m.ports[was], Tags: origin(was),
	}
	if c, ok := m.runtimes[was]; ok {
		in.RuntimeConfiguration, in.ServerLaunchPath, in.ServerLaunchParameters = &c, nil, nil
	}
	if in.RuntimeConfiguration == nil && in.ServerLaunchPath == nil {
		return "", fmt.Errorf("what to launch is not known; add what aws gamelift describe-runtime-configuration --fleet-id %s prints, with that id in the file's name", was)
	}
	if in.Name == "" {
		in.Name = was
	}
	made, err := m.api.CreateFleet(ctx, in)
	if err != nil {
		return "", err
	}
	return deref(made.FleetAttributes.FleetId), nil
}

func (m *importer) importAliases(ctx context.Context) error {
	arns := map[string]string{}
	for token := (*string)(nil); ; {
		out, err := m.api.ListAliases(ctx, &api.ListAliasesInput{NextToken: token})
		if err != nil {
			return err
		}
		for _, a := range out.Aliases {
			arns[deref(a.AliasId)] = deref(a.AliasArn)
		}
		if token = out.NextToken; token == nil {
			break
		}
	}
	before, err := m.tagged(ctx, arns)
	if err != nil {
		return err
	}
	for _, a := range m.aliases {
		was := deref(a.AliasId)
		what := fmt.Sprintf("alias %s (%s)", deref(a.Name), was)
		to := deref(a.RoutingStrategy)
		switch fleet := deref(to.FleetId); {
		case before[was] != "":
			m.here(what, was, before[was])
			continue
		case fleet != "" && m.now[fleet] == "":
			m.cannot("%s: its fleet %s is not here", what, fleet)
			continue
		case fleet != "":
			to.FleetId = new(m.now[fleet])
		}
		m.make(what, was, func() (string, error) {
			made, err := m.api.CreateAlias(ctx, &api.CreateAliasInput{Name: deref(a.Name), Description: a.Description, RoutingStrategy: &to, Tags: origin(was)})
			if err != nil {
				return "", err
			}
			return deref(made.Alias.AliasId), nil
		})
	}
	return nil
}

func (m *importer) importQueues(ctx context.Context) error {
	for _, q := range m.queues {
		name := deref(q.Name)
		what := "queue " + name
		is, err := m.api.DescribeGameSessionQueues(ctx, &api.DescribeGameSessionQueuesInput{Names: []string{name}})
		if err != nil {
			return err
		}
		if len(is.GameSessionQueues) > 0 {
			m.here(what, "queue "+name, name)
			continue
		}
		in := &api.CreateGameSessionQueueInput{
			Name: name, TimeoutInSeconds: q.TimeoutInSeconds, PlayerLatencyPolicies: q.PlayerLatencyPolicies, FilterConfiguration: q.FilterConfiguration,
			PriorityConfiguration: q.PriorityConfiguration, CustomEventData: q.CustomEventData, NotificationTarget: q.NotificationTarget,
		}
		for _, d := range q.Destinations {
			if arn := m.destination(deref(d.DestinationArn)); arn != "" {
				in.Destinations = append(in.Destinations, api.GameSessionQueueDestination{DestinationArn: &arn})
			} else {
				m.cannot("destination %s of %s: it is not here", deref(d.DestinationArn), what)
			}
		}
		m.make(what, "queue "+name, func() (string, error) {
			_, err := m.api.CreateGameSessionQueue(ctx, in)
			return name, err
		})
	}
	return nil
}

// destination is the ARN here of a fleet or alias there; empty if it is not here.
func (m *importer) destination(arn string) string {
	kind, was, ok := strings.Cut(arn[strings.LastIndexByte(arn, ':')+1:], "/")
	if !ok || m.now[was] == "" {
		return ""
	}
	return "arn:aws:gamelift:" + m.notice.Region + "::" + kind + "/" + m.now[was]
}

func (m *importer) importRuleSets(ctx context.Context) error {
	here, err := m.ruleSetNames(ctx)
	if err != nil {
		return err
	}
	for _, r := range m.ruleSets {
		name := deref(r.RuleSetName)
		if slices.Contains(here, name) {
			m.here("rule set "+name, "rule set "+name, name)
			continue
		}
		m.make("rule set "+name, "rule set "+name, func() (string, error) {
			_, err := m.api.CreateMatchmakingRuleSet(ctx, &api.CreateMatchmakingRuleSetInput{Name: name, RuleSetBody: r.RuleSetBody})
			return name, err
		})
	}
	return nil
}

func (m *importer) ruleSetNames(ctx context.Context) ([]string, error) {
	var names []string
	for token := (*string)(nil); ; {
		out, err := m.api.DescribeMatchmakingRuleSets(ctx, &api.DescribeMatchmakingRuleSetsInput{NextToken: token})
		if err != nil {
			return nil, err
		}
		for _, r := range out.RuleSets {
			names = append(names, deref(r.RuleSetName))
		}
		if token = out.NextToken; token == nil {
			return names, nil
		}
	}
}

func (m *importer) importConfigurations(ctx context.Context) error {
	here := map[string]bool{}
	for token := (*string)(nil); ; {
		out, err := m.api.DescribeMatchmakingConfigurations(ctx, &api.DescribeMatchmakingConfigurationsInput{NextToken: token})
		if err != nil {
			return err
		}
		for _, c := range out.Configurations {
			here[deref(c.Name)] = true
		}
		if token = out.NextToken; token == nil {
			break
		}
	}
	ruleSets, err := m.ruleSetNames(ctx)
	if err != nil {
		return err
	}
	for _, c := range m.configurations {
		name := deref(c.Name)
		what := "matchmaking configuration " + name
		if here[name] {
			m.here(what, what, name)
			continue
		}
		in := &api.CreateMatchmakingConfigurationInput{
			Name: name, Description: c.Description, RequestTimeoutSeconds: deref(c.RequestTimeoutSeconds), AcceptanceTimeoutSeconds: c.AcceptanceTimeoutSeconds,
			AcceptanceRequired: deref(c.AcceptanceRequired), RuleSetName: deref(c.RuleSetName), NotificationTarget: c.NotificationTarget,
			AdditionalPlayerCount: c.AdditionalPlayerCount, CustomEventData: c.CustomEventData, GameProperties: c.GameProperties,
			GameSessionData: c.GameSessionData, BackfillMode: c.BackfillMode, FlexMatchMode: c.FlexMatchMode,
		}
		if set := deref(c.RuleSetName); m.now["rule set "+set] == "" && !slices.Contains(ruleSets, set) {
			m.cannot("%s: its rule set %s is neither here nor in the files", what, set)
			continue
		}
		missing := ""
		for _, arn := range c.GameSessionQueueArns {
			queue := arn[strings.LastIndexByte(arn, '/')+1:]
			if m.now["queue "+queue] == "" {
				missing = queue
			}
			in.GameSessionQueueArns = append(in.GameSessionQueueArns, queueARN(m.notice, queue))
		}
		if missing != "" {
			m.cannot("%s: its queue %s is not here", what, missing)
			continue
		}
		m.make(what, what, func() (string, error) {
			_, err := m.api.CreateMatchmakingConfiguration(ctx, in)
			return name, err
		})
	}
	return nil
}

func queueARN(n Notice, name string) string {
	return "arn:aws:gamelift:" + n.Region + ":" + n.Account + ":gamesessionqueue/" + name
}
