package sqldb

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
)

// maxStatements bounds the prepared statements of one connection.
const maxStatements = 512

// A conn is one database connection and the statements prepared on it, for one
// goroutine at a time. It speaks to the driver directly: database/sql would
// add its locks, copies and conversions to every one of the few statements
// that a commit is made of.
type conn struct {
	driver  driver.Conn
	dialect *dialect
	stmts   map[string]statement
	named   []driver.NamedValue // reused for every call
}

// A statement is what the drivers here implement of a prepared statement.
type statement interface {
	driver.Stmt
	driver.StmtExecContext
	driver.StmtQueryContext
}

func connect(d *dialect, view bool) (*conn, error) {
	c, err := d.connect(view)
	if err != nil {
		return nil, d.explain(err)
	}
	return &conn{driver: c, dialect: d, stmts: map[string]statement{}}, nil
}

func (c *conn) prepare(text string) (statement, error) {
	if st, ok := c.stmts[text]; ok {
		return st, nil
	}
	if len(c.stmts) >= maxStatements {
		c.forget()
	}
	p, err := c.driver.Prepare(text)
	if err != nil {
		return nil, err
	}
	st, ok := p.(statement)
	if !ok {
		return nil, fmt.Errorf("store: statements of driver %T take no context", p)
	}
	c.stmts[text] = st
	return st, nil
}

func (c *conn) forget() {
	for _, st := range c.stmts {
		st.Close()
	}
	clear(c.stmts)
}

func (c *conn) bind(args []driver.Value) []driver.NamedValue {
	c.named = c.named[:0]
	for i, v := range args {
		c.named = append(c.named, driver.NamedValue{Ordinal: i + 1, Value: v})
	}
	return c.named
}

// exec runs a statement without an answer and returns how many rows it changed.
func (c *conn) exec(text string, args ...driver.Value) (int64, error) {
	st, err := c.prepare(text)
	if err != nil {
		return 0, c.dialect.explain(err)
	}
	r, err := st.ExecContext(context.Background(), c.bind(args))
	clear(c.named) // do not hold the bodies
	if err != nil {
		return 0, c.dialect.explain(err)
	}
	return r.RowsAffected()
}

// script runs statements that are used once, without preparing them to stay.
func (c *conn) script(text string) error {
	e, ok := c.driver.(driver.ExecerContext)
	if !ok {
		return fmt.Errorf("store: driver %T runs no scripts", c.driver)
	}
	_, err := e.ExecContext(context.Background(), text, nil)
	return c.dialect.explain(err)
}

// query runs a statement and calls row with each line of its answer. The slice
// is reused; what is in it may be kept.
func (c *conn) query(text string, row func([]driver.Value) error, args ...driver.Value) error {
	st, err := c.prepare(text)
	if err != nil {
		return c.dialect.explain(err)
	}
	rows, err := st.QueryContext(context.Background(), c.bind(args))
	if err != nil {
		return c.dialect.explain(err)
	}
	line := make([]driver.Value, len(rows.Columns()))
	for {
		if err = rows.Next(line); err != nil {
			break
		}
		if err = row(line); err != nil {
			rows.Close()
			return err
		}
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return c.dialect.explain(errors.Join(err, rows.Close()))
}

// int64 returns the first value of the first line, or 0 if there is none.
func (c *conn) int64(text string, args ...driver.Value) (n int64, err error) {
	err = c.query(text, func(line []driver.Value) error {
		n, _ = line[0].(int64)
		return nil
	}, args...)
	return n, err
}

func (c *conn) close() error {
	c.forget()
	return c.dialect.explain(c.driver.Close())
}

// text returns the first text of the first line, or "" if there is none.
func (c *conn) text(text string, args ...driver.Value) (s string, err error) {
	err = c.query(text, func(line []driver.Value) error {
		s, _ = line[0].(string)
		return nil
	}, args...)
	return s, err
}
