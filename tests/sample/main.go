// Command pricewatch fetches prices, stores them and writes a report of the day.
package main

import (
	"context"
	"database/sql"
	"log"
	"os"
	"os/signal"
	"time"

	"example.com/pricewatch/internal/feed"
	"example.com/pricewatch/internal/report"
	"example.com/pricewatch/internal/store"
	"example.com/pricewatch/internal/watch"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()

	db, err := sql.Open("postgres", os.Getenv("PRICEWATCH_DB"))
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()

	w := &watch.Watcher{
		Feed:  &feed.Client{URL: "https://prices.example.com/v1"},
		Store: store.New(db),
		Every: time.Minute,
	}
	if err := w.Run(ctx, "XAU", 24*60); err != nil {
		log.Print(err)
	}
	prices, err := w.Store.Prices(ctx, "XAU")
	if err != nil {
		log.Print(err)
	}
	if err := report.Write("report.csv", prices); err != nil {
		log.Print(err)
	}
}
