// Kinds to try things out with: what `gridnode --kinds demo` hosts, and gridctl's messages speak to
// unless told otherwise. All understand one type of message, kDemoMessage, whatever its shape:
//
// | kind | answers |
// |---|---|
// | echo | the message |
// | counter | adds it, an integer (nothing: 1), and answers the sum, which begins with the start
// parameter "from", or 0 | | sleeper | the message, a number of milliseconds up to a day, after
// that time | | crasher | lets an exception out for "crash", which restarts it; otherwise how many
// messages it has had since its start |
#ifndef GRID_TOOLS_COMMON_DEMO_KINDS_H_
#define GRID_TOOLS_COMMON_DEMO_KINDS_H_

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "grid/actor/kind.h"
#include "grid/actor/message_type.h"
#include "tools/common/any_message.h"

namespace grid::tools {

using AnyMessageType = MessageType<std::optional<AnyMessage>, std::optional<AnyMessage>>;
inline constexpr char kDemoMessageName[] = "demo.message";
inline constexpr AnyMessageType kDemoMessage{kDemoMessageName};

// Below <realm>/echo and so on. kInvalidArgument when `realm` is no segment of a name.
absl::StatusOr<KindTable> DemoKinds(const std::string& realm);

}  // namespace grid::tools

#endif  // GRID_TOOLS_COMMON_DEMO_KINDS_H_
