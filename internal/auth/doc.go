// Package auth says who sends a request and what that caller may do: access keys,
// Signature Version 4, temporary credentials, compute tokens and IAM policies,
// for every door of the service. It also signs, for our own clients.
//
// It opens no socket, writes no answer and reads no clock: the time is an argument.
// An error it returns is an [*Error], which knows its name in each protocol and
// never contains a secret.
//
//	verifier := &auth.Verifier{Keys: keys}
//	caller, err := verifier.Verify(ctx, request, body, time.Now())
//	if err == nil {
//		err = caller.Check("gamelift:CreateFleet", "*")
//	}
package auth
