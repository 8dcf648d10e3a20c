package api

type (
	reader  struct{}
	checker struct{}
	Encoder interface{}
)
