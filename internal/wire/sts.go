package wire

import (
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/chairlift-games/chairlift/internal/auth"
)

// sts answers a call of AWS's Query protocol. The one operation known is
// GetCallerIdentity, which tools such as Terraform ask before anything else.
func (c *call) sts() {
	c.seen.Service = "STS"
	buf := buffers.Get().(*[]byte)
	defer putBuffer(buf)
	action, err := c.stsAction(buf)
	if err != nil {
		c.stsFault(err)
		return
	}
	c.seen.Operation = action
	c.writeXML(http.StatusOK, struct {
		XMLName   struct{} `xml:"https://sts.amazonaws.com/doc/2011-06-15/ GetCallerIdentityResponse"`
		Arn       string   `xml:"GetCallerIdentityResult>Arn"`
		UserID    string   `xml:"GetCallerIdentityResult>UserId"`
		Account   string   `xml:"GetCallerIdentityResult>Account"`
		RequestID string   `xml:"ResponseMetadata>RequestId"`
	}{
		Arn:       c.caller.Principal,
		UserID:    c.caller.AccessKeyID,
		Account:   c.caller.Account,
		RequestID: c.id,
	})
}

// stsAction checks the call and returns its name. As with AWS, no policy is asked:
// whoever has a key may know whose it is.
func (c *call) stsAction(buf *[]byte) (string, error) {
	body, err := c.authenticated(buf)
	if err != nil {
		return "", err
	}
	values := c.r.URL.Query()
	if c.r.Method == http.MethodPost {
		form, err := url.ParseQuery(string(body))
		if err != nil {
			return "", faultError(clientFault("MalformedInput", "The body is not a form."))
		}
		values = form
	}
	if action := values.Get("Action"); action != "GetCallerIdentity" || c.caller.Service != "sts" {
		return "", faultError(clientFault("InvalidAction", fmt.Sprintf("Of the Query protocol only GetCallerIdentity of sts is served here, not %.64q of %s.", action, c.caller.Service)))
	}
	return "GetCallerIdentity", nil
}

// stsCode gives STS's name for what the JSON protocol calls otherwise.
func stsCode(code string) string {
	switch code {
	case "UnrecognizedClientException":
		return "InvalidClientTokenId"
	case invalidSignature:
		return "SignatureDoesNotMatch"
	}
	return strings.TrimSuffix(code, "Exception")
}

func (c *call) stsFault(err error) {
	f := c.resolve(err)
	if _, ok := err.(*auth.Error); ok {
		f.status = http.StatusForbidden
	}
	who := "Sender"
	if f.internal {
		who = "Receiver"
	}
	c.writeXML(f.status, struct {
		XMLName   struct{} `xml:"https://sts.amazonaws.com/doc/2011-06-15/ ErrorResponse"`
		Type      string   `xml:"Error>Type"`
		Code      string   `xml:"Error>Code"`
		Message   string   `xml:"Error>Message"`
		RequestID string   `xml:"RequestId"`
	}{Type: who, Code: stsCode(f.code), Message: f.message, RequestID: c.id})
}

func (c *call) writeXML(status int, v any) {
	c.seen.Status = status
	c.w.Header().Set("Content-Type", "text/xml")
	c.w.WriteHeader(status)
	writeXML(c.w, v)
}

func writeXML(w io.Writer, v any) {
	io.WriteString(w, xml.Header)
	xml.NewEncoder(w).Encode(v) // an error means the client has gone
}
