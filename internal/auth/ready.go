package auth

// ReadyMade returns a policy that comes with Chairlift, by its name.
func ReadyMade(name string) (Policy, bool) {
	allow := func(actions ...string) (Policy, bool) {
		return Policy{Version: "2012-10-17", Statements: []Statement{{Effect: Allow, Action: actions, Resource: Patterns{"*"}}}}, true
	}
	switch name {
	case "admin":
		return allow("*")
	case "read-only":
		// Not GetInstanceAccess and GetComputeAuthToken: what they answer opens doors.
		return allow("gamelift:Describe*", "gamelift:List*", "gamelift:Search*", "gamelift:ResolveAlias",
			"gamelift:GetGameSessionLogUrl", "gamelift:ValidateMatchmakingRuleSet",
			"chairlift:Explain*", "chairlift:ReadLogs", "chairlift:ListKeys")
	case "game-backend":
		// What a game's own service does for its players: nothing that costs
		// machines, nothing about builds.
		return allow("gamelift:CreateGameSession", "gamelift:UpdateGameSession", "gamelift:TerminateGameSession",
			"gamelift:DescribeGameSession*", "gamelift:SearchGameSessions",
			"gamelift:CreatePlayerSession*", "gamelift:DescribePlayerSessions",
			"gamelift:StartGameSessionPlacement", "gamelift:StopGameSessionPlacement",
			"gamelift:StartMatchmaking", "gamelift:StopMatchmaking", "gamelift:AcceptMatch", "gamelift:StartMatchBackfill",
			"gamelift:DescribeMatchmaking", "gamelift:ResolveAlias", "gamelift:DescribeAlias", "gamelift:ListAliases",
			"chairlift:ExplainPlacement", "chairlift:ExplainSession", "chairlift:ExplainTicket")
	case "build-upload":
		// What a build machine does: it uploads, and sees what became of it.
		return allow("gamelift:CreateBuild", "gamelift:RequestUploadCredentials", "gamelift:UpdateBuild",
			"gamelift:DescribeBuild", "gamelift:ListBuilds",
			"gamelift:CreateScript", "gamelift:UpdateScript", "gamelift:DescribeScript", "gamelift:ListScripts",
			"gamelift:TagResource", "gamelift:ListTagsForResource")
	}
	return Policy{}, false
}
