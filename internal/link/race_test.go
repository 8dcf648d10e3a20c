//go:build race

package link

// A core has no goroutines to race, and the detector makes it ten times slower.
const defaultSeeds = 300
