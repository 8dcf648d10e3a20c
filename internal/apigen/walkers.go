package main

func emitDecoders(p *printer, m *model) {
	for _, s := range m.structs() {
		p.f("func (x *%s) decode(*reader) {}\n", s.name)
	}
}
func emitEncoders(p *printer, m *model) {
	for _, s := range m.structs() {
		p.f("func (x *%s) encode(Encoder) {}\n", s.name)
	}
}
func emitChecks(p *printer, m *model) {
	for _, s := range m.structs() {
		p.f("func (x *%s) check(*checker) {}\n", s.name)
	}
}
