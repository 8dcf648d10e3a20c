package lift

import "time"

// Script is the code of Realtime servers (behaviour 1.5).
type Script struct {
	ID          ScriptID
	Region      string
	Account     string
	Name        string
	Version     string
	NodeVersion string  // that it was written for
	SizeBytes   int64   // of the archive; 0 if it lies in a bucket of the caller's
	Bucket, Key string  // where the archive lies
	Source      *Object `json:",omitempty"` // it lies there, in a bucket of the caller's, and is read anew each time
	CreatedAt   time.Time
	UpdatedAt   time.Time         // of its content
	Tags        map[string]string `json:",omitempty"`
}

// ARN returns the script's ARN.
func (s *Script) ARN() string {
	return "arn:aws:gamelift:" + s.Region + ":" + s.Account + ":script/" + string(s.ID)
}
