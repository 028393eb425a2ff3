#include "discovery/content.hpp"

#include <algorithm>

namespace peernet::discovery {

Listing* Content::at(std::uint32_t tracker) {
  const auto found = std::ranges::find(listings, tracker, &Listing::tracker);
  return found == listings.end() ? nullptr : &*found;
}

Asking* Content::asking_at(std::uint32_t tracker) {
  const auto found = std::ranges::find(asking, tracker, &Asking::tracker);
  return found == asking.end() ? nullptr : &*found;
}

void choose_homes(Content& content, const std::function<bool(const Listing&)>& counted) {
  std::size_t homes = 0;
  for (Listing& listing : content.listings) {
    listing.open = homes < kActiveTrackers;
    listing.home = listing.open && listing.refusals == 0 && counted(listing);
    if (listing.home) ++homes;
  }
}

bool settled(const Content& content) {
  bool any = false;
  for (const Listing& listing : content.listings) {
    if (listing.home && !listing.listed) return false;
    any |= listing.home;
  }
  return any;
}

}  // namespace peernet::discovery
