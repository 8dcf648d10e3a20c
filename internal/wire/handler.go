package wire

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/chairlift-games/chairlift/api"
	"github.com/chairlift-games/chairlift/internal/auth"
)

// MaxBodyBytes is the largest request body taken. A script's zip of 5,000,000
// bytes is the largest the API knows and takes 6.7 MB as base64.
const MaxBodyBytes = 10 << 20

// requestIDHeader is spelled as AWS does, which is not Go's way.
const requestIDHeader = "x-amzn-RequestId"

// Options is what a [Handler] needs. Service and Verifier are required.
type Options struct {
	Service  api.Service
	Verifier *auth.Verifier

	Now func() time.Time // default time.Now
	Log *slog.Logger     // default: discard
	// Admit, if not nil, may refuse a call before anything is asked of it:
	// throttling. The input may be half read, if the rest cannot be.
	Admit func(c auth.Caller, op *api.Operation, in api.Shape, now time.Time) error
	// Observe, if not nil, hears about every answered call.
	Observe func(Call)
}

// A Call is one answered request, for metrics.
type Call struct {
	Service   string // GameLift, Chairlift or STS; empty when unknown
	Operation string // empty when unknown
	Region    string
	Code      string // the exception's name; empty for a success
	Status    int
	Duration  time.Duration
}

// Handler answers the signed calls of API clients: every operation of the model
// in both protocols, and STS's GetCallerIdentity.
type Handler struct{ o Options }

// NewHandler returns a handler for the service.
func NewHandler(o Options) *Handler {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Handler{o}
}

func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	start := h.o.Now()
	id := newRequestID()
	// Clients whose clock is wrong sign again with the time of the answer.
	w.Header().Set("Date", start.UTC().Format(http.TimeFormat))
	w.Header()[requestIDHeader] = []string{id}

	c := &call{Handler: h, w: w, r: r, id: id, now: start}
	if isQuery(r) && r.Header.Get("X-Amz-Target") == "" {
		c.sts()
	} else {
		c.rpc()
	}
	if h.o.Observe != nil {
		c.seen.Duration = h.o.Now().Sub(start)
		h.o.Observe(c.seen)
	}
}

// A call is one request on its way through.
type call struct {
	*Handler
	w      http.ResponseWriter
	r      *http.Request
	id     string // request id
	now    time.Time
	codec  *codec
	op     *api.Operation
	caller auth.Caller
	seen   Call
}

// rpc answers a call of JSON 1.1 or of RPC v2 CBOR.
func (c *call) rpc() {
	c.codec = jsonCodec
	if isCBOR(c.r) && c.r.Header.Get("X-Amz-Target") == "" {
		c.codec = cborCodec
	}
	in := buffers.Get().(*[]byte)
	defer putBuffer(in)
	out, err := c.answer(in)
	if err != nil {
		c.fault(err)
		return
	}
	buf := buffers.Get().(*[]byte)
	defer putBuffer(buf)
	body := (*buf)[:0]
	switch {
	case c.op.HasOutput:
		body = c.codec.encode(body, func(e api.Encoder) { api.Encode(e, out) })
	case c.codec == cborCodec:
		body = append(body, c.codec.empty...)
	}
	*buf = body
	c.write(http.StatusOK, body)
}

// answer carries the call out. The body is read into buf.
func (c *call) answer(buf *[]byte) (api.Shape, error) {
	service, name, err := c.target()
	if err != nil {
		return nil, err
	}
	op := api.Find(name)
	if op != nil && op.Service != service {
		op = nil
	}
	if op != nil {
		c.op = op
		c.seen.Service, c.seen.Operation = op.Service, op.Name
	}
	body, err := c.authenticated(buf)
	if err != nil {
		return nil, err
	}
	if op == nil {
		return nil, faultError(clientFault(unknownOperation, fmt.Sprintf("%s has no operation %.64q.", service, name)))
	}
	c.caller.Operation = op.Service + "." + op.Name
	if s := c.caller.Service; s != "gamelift" && s != "chairlift" {
		return nil, faultError(clientFault(invalidSignature, "Credential should be scoped to correct service: 'gamelift'."))
	}
	in := op.NewInput()
	err = c.codec.decodeInput(body, in)
	if c.o.Admit != nil {
		if refused := c.o.Admit(c.caller, op, in, c.now); refused != nil {
			return nil, refused
		}
	}
	if _, unread := errors.AsType[*api.DecodeError](err); unread {
		return nil, err
	}
	if denied := authorize(c.caller, op, in); denied != nil {
		return nil, denied
	}
	if err != nil {
		return nil, err
	}
	return c.call(in)
}

// target reads which operation of which service is meant.
func (c *call) target() (service, name string, err error) {
	t := c.r.Header.Get("X-Amz-Target")
	if t == "" && strings.Contains(c.r.URL.RawQuery, "X-Amz-Target=") {
		// Signers that presign move it there, and sign it with the query.
		t = c.r.URL.Query().Get("X-Amz-Target")
	}
	if t != "" {
		service, name, _ = strings.Cut(t, ".")
		if service == "GameLift" || service == "Chairlift" {
			return service, name, nil
		}
		return "", "", faultError(clientFault(unknownOperation, fmt.Sprintf("Nothing here is called %.64q; targets begin with GameLift. or Chairlift.", t)))
	}
	parts := strings.Split(c.r.URL.Path, "/") // "", service, GameLift, operation, ListFleets
	if len(parts) == 5 && parts[1] == "service" && parts[3] == "operation" && (parts[2] == "GameLift" || parts[2] == "Chairlift") {
		return parts[2], parts[4], nil
	}
	if c.r.Header.Get("Authorization") == "" {
		return "", "", &auth.Error{Reason: auth.Unsigned, Msg: "The request is not signed and names no operation. Give the client an access key; chairlift env prints one."}
	}
	return "", "", faultError(clientFault(unknownOperation, "The request names no operation: it has no X-Amz-Target header and its path is not /service/GameLift/operation/NAME."))
}

// authenticated reads the body and establishes the caller. Nobody makes us read
// a body without at least the form of a signature.
func (c *call) authenticated(buf *[]byte) ([]byte, error) {
	signature, err := auth.ParseSignature(c.r)
	if err != nil {
		return nil, err
	}
	body, err := c.body(buf)
	if err != nil {
		return nil, err
	}
	c.caller, err = c.o.Verifier.VerifySignature(c.r.Context(), c.r, signature, body, c.now)
	if err != nil {
		return nil, err
	}
	c.caller.RequestID = c.id
	c.seen.Region = c.caller.Region
	return body, nil
}

func (c *call) body(buf *[]byte) ([]byte, error) {
	tooLarge := faultError(fault{
		code:    requestTooLarge,
		message: fmt.Sprintf("The request body has more than %d bytes.", MaxBodyBytes),
		status:  http.StatusRequestEntityTooLarge,
	})
	if c.r.ContentLength > MaxBodyBytes {
		return nil, tooLarge
	}
	b := (*buf)[:0]
	r := http.MaxBytesReader(c.w, c.r.Body, MaxBodyBytes)
	for {
		if len(b) == cap(b) {
			b = append(b, 0)[:len(b)]
		}
		n, err := r.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		*buf = b
		if err == io.EOF {
			return b, nil
		}
		if err != nil {
			if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
				return nil, tooLarge
			}
			return nil, faultError(clientFault(serialization, "The request body ended early."))
		}
	}
}

// call runs the operation. A panic in it is an internal failure of this call only.
func (c *call) call(in api.Shape) (out api.Shape, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	out, err = c.op.Call(auth.WithCaller(c.r.Context(), c.caller), c.o.Service, in)
	if err == nil && out == nil {
		if c.op.HasOutput {
			return nil, errors.New("the operation returned neither output nor error")
		}
		out = c.op.NewOutput()
	}
	return out, err
}

// fault answers an error.
func (c *call) fault(err error) {
	f := c.resolve(err)
	body := c.codec.encode(nil, func(e api.Encoder) {
		e.Object()
		e.Key("__type")
		e.String(f.code)
		// Clients read the text from one or the other.
		e.Key("message")
		e.String(f.message)
		e.Key("Message")
		e.String(f.message)
		e.End()
	})
	c.write(f.status, body)
}

// resolve decides what the client hears, and logs what it does not.
func (c *call) resolve(err error) fault {
	f, ok := errors.AsType[faultError](err)
	if !ok {
		f = faultError(faultOf(c.op, err, c.id))
	}
	c.seen.Code = f.code
	ctx := c.r.Context()
	switch {
	case !f.internal:
		c.o.Log.LogAttrs(ctx, slog.LevelDebug, "refused", slog.String("operation", c.seen.Operation), slog.String("code", f.code), slog.String("message", f.message), slog.String("request_id", c.id))
	case ctx.Err() != nil && errors.Is(err, ctx.Err()):
		// The caller went away; nobody reads the answer.
		c.o.Log.LogAttrs(ctx, slog.LevelDebug, "abandoned", slog.String("operation", c.seen.Operation), slog.String("request_id", c.id))
	default:
		c.o.Log.LogAttrs(ctx, slog.LevelError, "operation failed", slog.String("operation", c.seen.Operation), slog.String("region", c.caller.Region), slog.String("request_id", c.id), slog.Any("error", err))
	}
	return fault(f)
}

func (c *call) write(status int, body []byte) {
	c.seen.Status = status
	h := c.w.Header()
	if len(body) > 0 {
		h["Content-Type"] = []string{c.codec.contentType}
	}
	h["Content-Length"] = []string{strconv.Itoa(len(body))}
	if c.codec.protocol != "" {
		h["Smithy-Protocol"] = []string{c.codec.protocol}
	}
	c.w.WriteHeader(status)
	c.w.Write(body) // an error means the client has gone
}

// faultError is a fault as the error of a step.
type faultError fault

func (f faultError) Error() string { return f.code + ": " + f.message }

// authorize asks the caller's policy about the operation on every resource its
// input names, or on * if it names none.
func authorize(caller auth.Caller, op *api.Operation, in api.Shape) error {
	action := strings.ToLower(op.Service) + ":" + op.Name
	named := false
	var denied error
	if op.Subjects != nil {
		op.Subjects(in, func(kind, name string) {
			named = true
			if denied == nil {
				denied = caller.Check(action, arn(kind, name, caller.Region, caller.Account))
			}
		})
	}
	if !named {
		denied = caller.Check(action, "*")
	}
	return denied
}

// arn spells a resource as behaviour 0.2 lists the forms; some have no account.
func arn(kind, name, region, account string) string {
	if kind == "arn" || strings.HasPrefix(name, "arn:") {
		return name
	}
	switch kind {
	case "fleet", "alias", "location":
		account = ""
	}
	return "arn:aws:gamelift:" + region + ":" + account + ":" + kind + "/" + name
}
