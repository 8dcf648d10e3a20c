//go:build !race

package link

const defaultSeeds = 3000
