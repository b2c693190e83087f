// StaticMembership: a list of members that is known beforehand: for programs whose hosts are
// configured, and for tests. Who is on the list is up; nobody finds out who is not.
//
//   auto members = MakeStaticMembership({.io = &io, .self = "http://a:9000",
//                                        .members = {{.name = "http://a:9000"},
//                                                    {.name = "http://b:9000"}}});
#ifndef GRID_GRID_MEMBERSHIP_STATIC_MEMBERSHIP_H_
#define GRID_GRID_MEMBERSHIP_STATIC_MEMBERSHIP_H_

#include <boost/asio/io_context.hpp>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "grid/membership/membership.h"

namespace grid {

struct StaticMembershipOptions {
  // The membership's thread: one thread runs it. It must outlive the Membership and its watchers.
  // Required.
  boost::asio::io_context* io = nullptr;
  std::string self = {};             // our name; a client where it is not on the list
  std::vector<Member> members = {};  // in any order
  size_t max_watches = 1'000;
};

// kInvalidArgument names the option, or the member that is there twice, has no name or bad
// attributes. Change and Leave are seen in this process only: others have lists of their own.
absl::StatusOr<std::unique_ptr<Membership>> MakeStaticMembership(StaticMembershipOptions options);

}  // namespace grid

#endif  // GRID_GRID_MEMBERSHIP_STATIC_MEMBERSHIP_H_
