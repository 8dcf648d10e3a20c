package agent

// RunOver is Run over a link of the test's.
var RunOver = runOver

var (
	LocalPath        = localPath
	LocalParameters  = localParameters
	SplitParameters  = splitParameters
	CleanEnvironment = cleanEnvironment
)
