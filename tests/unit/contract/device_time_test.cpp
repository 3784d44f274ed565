#include "contract/device_time.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "base/random.h"
#include "base/text.h"
#include "decode_fixture.h"

namespace packhorse::contract {
namespace {

std::string Shown(const Instant& instant) {
  std::string text;
  AppendRfc3339(text, instant);
  return text;
}

TEST(ParseDateTime, AcceptsWhatRfc3339AllowsAndWhatIsCommonBeside) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"2026-11-20T08:15:30Z", "2026-11-20T08:15:30Z"},
      {"2026-11-20t08:15:30z", "2026-11-20T08:15:30Z"},
      {"2026-11-20 08:15:30z", "2026-11-20T08:15:30Z"},
      {"2026-11-20T13:45:30+05:30", "2026-11-20T08:15:30Z"},
      {"2026-11-20T00:15:30-08:00", "2026-11-20T08:15:30Z"},
      {"2026-11-20T09:15:30+0100", "2026-11-20T08:15:30Z"},
      {"2026-11-20T08:15:30-00:00", "2026-11-20T08:15:30Z"},
      {"2026-12-31T23:30:00-01:00", "2027-01-01T00:30:00Z"},
      {"2026-11-20T08:15:30.2Z", "2026-11-20T08:15:30.200Z"},
      {"2026-11-20T08:15:30.25Z", "2026-11-20T08:15:30.250Z"},
      {"2026-11-20T08:15:30.250Z", "2026-11-20T08:15:30.250Z"},
      {"2026-11-20T08:15:30.000Z", "2026-11-20T08:15:30Z"},
      {"2026-11-20T08:15:30.2501Z", "2026-11-20T08:15:30.250100Z"},
      {"2026-11-20T08:15:30.775023242+00:00", "2026-11-20T08:15:30.775023242Z"},
      {"2026-11-20T08:15:30.7750232429Z", "2026-11-20T08:15:30.775023242Z"},
      {"2026-11-20T08:15:30.000000001Z", "2026-11-20T08:15:30.000000001Z"},
      {"2024-02-29T00:00:00Z", "2024-02-29T00:00:00Z"},
      {"1900-01-01T00:00:00Z", "1900-01-01T00:00:00Z"},
      {"0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"},
      {"9999-12-31T23:59:59Z", "9999-12-31T23:59:59Z"},
      {"2016-12-31T23:59:60Z", "2016-12-31T23:59:60Z"},
      {"2015-06-30T23:59:60.500Z", "2015-06-30T23:59:60.500Z"},
      {"2017-01-01T00:59:60+01:00", "2016-12-31T23:59:60Z"},
  };
  for (const auto& [text, shown] : cases) {
    const auto parsed = ParseDateTime(text);
    ASSERT_TRUE(parsed) << text;
    EXPECT_TRUE(parsed->has_zone) << text;
    EXPECT_EQ(Shown(parsed->instant), shown) << text;
  }
}

TEST(ParseDateTime, NoOffsetIsNoticed) {
  const auto parsed = ParseDateTime("2026-11-20T09:15:30.5");
  ASSERT_TRUE(parsed);
  EXPECT_FALSE(parsed->has_zone);
}

TEST(ParseDateTime, RefusesWhatIsNoMoment) {
  for (const std::string text : {"",
                                 "noon",
                                 "2026-11-20",
                                 "2026-11-20T",
                                 "2026-11-20T08:15Z",
                                 "2026-11-20T24:00:00Z",
                                 "2026-11-20T08:60:00Z",
                                 "2026-11-20T08:15:61Z",
                                 "2026-13-01T00:00:00Z",
                                 "2026-02-29T00:00:00Z",
                                 "2026-11-00T00:00:00Z",
                                 "0000-01-01T00:00:00Z",
                                 "2026-11-20T08:15:30.Z",
                                 "2026-11-20T08:15:30,5Z",
                                 "2026-11-20T08:15:30 Z",
                                 "2026-11-20T08:15:30+1:00",
                                 "2026-11-20T08:15:30+24:00",
                                 "2026-11-20T08:15:30+01:60",
                                 "2026-11-20T08:15:30ZZ",
                                 "20261120T081530Z",
                                 "2026-11-20_08:15:30Z",
                                 "26-11-20T08:15:30Z",
                                 "2026-11-20T08:15:60Z",
                                 "2016-12-30T23:59:60Z",
                                 "2016-12-31T22:59:60Z",
                                 "2016-03-31T23:59:60Z",
                                 "2026-11-20T08:15:30+"}) {
    EXPECT_FALSE(ParseDateTime(text)) << text;
  }
}

struct EpochCase {
  std::string text;
  EpochUnit unit;
  std::string shown;  // empty: no epoch
};

// A leading zero, which JSON does not have, makes the long way read it.
TEST(ParseEpoch, DigitsAloneReadAsTheLongWayReadsThem) {
  const std::uint64_t seed = RandomSeed();
  Random random(seed);
  for (int round = 0; round < 2'000; ++round) {
    const std::string number = std::to_string(1 + (random.UpTo(UINT64_MAX - 1) >> random.UpTo(63)));
    SCOPED_TRACE("seed " + std::to_string(seed) + ", " + number);
    for (const EpochUnit unit : {EpochUnit::kAuto, EpochUnit::kSeconds, EpochUnit::kMilliseconds,
                                 EpochUnit::kMicroseconds, EpochUnit::kNanoseconds}) {
      const auto instant = ParseEpoch(number, unit);
      const auto wanted = ParseEpoch('0' + number, unit);
      ASSERT_EQ(instant.has_value(), wanted.has_value());
      if (wanted) {
        ASSERT_EQ(instant->seconds, wanted->seconds);
        ASSERT_EQ(instant->nanos, wanted->nanos);
      }
    }
  }
}

TEST(ParseEpoch, IsExactInEveryUnit) {
  using U = EpochUnit;
  const std::vector<EpochCase> cases = {
      {"1795162530", U::kAuto, "2026-11-20T08:15:30Z"},
      {"1795162530.25", U::kAuto, "2026-11-20T08:15:30.250Z"},
      {"1.79516253025e9", U::kAuto, "2026-11-20T08:15:30.250Z"},
      {"1795162530250", U::kAuto, "2026-11-20T08:15:30.250Z"},
      {"1795162530250000", U::kAuto, "2026-11-20T08:15:30.250Z"},
      {"1795162530250000001", U::kAuto, "2026-11-20T08:15:30.250000001Z"},
      {"01795162530", U::kAuto, "2026-11-20T08:15:30Z"},
      {"100000000", U::kAuto, "1973-03-03T09:46:40Z"},
      {"99999999999", U::kAuto, "5138-11-16T09:46:39Z"},
      {"100000000000", U::kAuto, "1973-03-03T09:46:40Z"},
      {"99999999", U::kAuto, ""},
      {"99999999.999", U::kAuto, ""},
      {"0", U::kAuto, ""},
      {"-1795162530", U::kAuto, ""},
      {"-1", U::kSeconds, ""},
      {"-0", U::kSeconds, "1970-01-01T00:00:00Z"},
      {"-", U::kSeconds, ""},
      {".5", U::kSeconds, ""},
      {"0", U::kSeconds, "1970-01-01T00:00:00Z"},
      {"0e999999999", U::kSeconds, "1970-01-01T00:00:00Z"},
      {"1795162530", U::kMilliseconds, "1970-01-21T18:39:22.530Z"},
      {"53211", U::kMicroseconds, "1970-01-01T00:00:00.053211Z"},
      {"7", U::kNanoseconds, "1970-01-01T00:00:00.000000007Z"},
      {"0.007", U::kSeconds, "1970-01-01T00:00:00.007Z"},
      {"1e-300", U::kSeconds, "1970-01-01T00:00:00Z"},
      {"1e30", U::kAuto, ""},
      {"1e999999999999", U::kAuto, ""},
      {"12x", U::kSeconds, ""},
      {"1.2.3", U::kSeconds, ""},
      {"1e", U::kSeconds, ""},
      {"", U::kSeconds, ""},
      {std::string(60, '7'), U::kAuto, ""},
  };
  for (const EpochCase& c : cases) {
    const auto instant = ParseEpoch(c.text, c.unit);
    ASSERT_EQ(instant.has_value(), !c.shown.empty()) << c.text;
    if (instant) {
      EXPECT_EQ(Shown(*instant), c.shown) << c.text;
    }
  }
}

TEST(TimeRecogniser, FindsItsNamesInAnyCaseAndNoOther) {
  TimeRules rules;
  for (const char* name : {"ts", "T", "deviceTime", "time_stamp"}) {
    rules.fields.push_back({.name = name});
  }
  const TimeRecogniser times(rules);
  for (const char* name : {"ts", "TS", "Ts", "t", "T", "devicetime", "DEVICETIME", "Time_Stamp"}) {
    ASSERT_NE(times.Find(name), nullptr) << name;
    EXPECT_EQ(Lower(times.Find(name)->name), Lower(name));
  }
  // Also of the same length and ends as one of them, and longer than all.
  for (const char* name : {"", "s", "tt", "st", "t5", "t\x13", "dEVICEtimE2", "devicexxxe", "time-stamp", "timeXstamp",
                           "a name that is longer than all of them"}) {
    EXPECT_EQ(times.Find(name), nullptr) << name;
  }
}

struct JudgeCase {
  std::string payload;
  TimeQuality quality;
  TimeSource source;
  std::string value;
};

class DeviceTimeOfJson : public DecodeFixture {};

TEST_F(DeviceTimeOfJson, IsRecognisedAndJudged) {
  using Q = TimeQuality;
  using S = TimeSource;
  const std::vector<JudgeCase> cases = {
      {R"({"Time":"2026-11-20T09:15:30+01:00"})", Q::kOk, S::kDevice, "2026-11-20T08:15:30Z"},
      {R"({"TS":1795162530})", Q::kOk, S::kDevice, "2026-11-20T08:15:30Z"},
      {R"({"ts":" 1795162530 "})", Q::kOk, S::kDevice, "2026-11-20T08:15:30Z"},
      {R"({"deviceTime":"1795162530.5"})", Q::kOk, S::kDevice, "2026-11-20T08:15:30.500Z"},
      {R"({"last_seen":1795162530250})", Q::kOk, S::kGateway, "2026-11-20T08:15:30.250Z"},
      // The edges: an hour back is not late, a day ahead is not the future.
      {R"({"ts":1795158931.5})", Q::kOk, S::kDevice, "2026-11-20T07:15:31.500Z"},
      {R"({"ts":1795158931.499})", Q::kLate, S::kDevice, "2026-11-20T07:15:31.499Z"},
      {R"({"ts":1795248931.5})", Q::kOk, S::kDevice, "2026-11-21T08:15:31.500Z"},
      {R"({"ts":1795248931.501})", Q::kFuture, S::kDevice, "2026-11-21T08:15:31.501Z"},
      {R"({"ts":"2015-01-01T00:00:00Z"})", Q::kLate, S::kDevice, "2015-01-01T00:00:00Z"},
      {R"({"ts":"2014-12-31T23:59:59Z"})", Q::kImplausible, S::kDevice, "2014-12-31T23:59:59Z"},
      {R"({"ts":"1900-01-01T00:00:00Z"})", Q::kImplausible, S::kDevice, "1900-01-01T00:00:00Z"},
      {R"({"ts_ms":1795162530})", Q::kImplausible, S::kDevice, "1970-01-21T18:39:22.530Z"},
      {R"({"timestamp_ms":1795162530250000})", Q::kImplausible, S::kDevice, ""},
      {R"({"ts":1e40})", Q::kImplausible, S::kDevice, ""},
      // Clocks that were never set: the epoch, GPS week 0, the default of many clock chips.
      {R"({"ts":"1970-01-03T00:00:12Z"})", Q::kUnsynced, S::kDevice, ""},
      {R"({"ts":"1980-01-06T00:10:00Z"})", Q::kUnsynced, S::kDevice, ""},
      {R"({"ts":"2000-01-01T00:00:05Z"})", Q::kUnsynced, S::kDevice, ""},
      {R"({"Time":"1970-01-01T00:00:11"})", Q::kUnsynced, S::kDevice, ""},
      {R"({"ts":86123})", Q::kUnsynced, S::kDevice, ""},
      {R"({"ts":0})", Q::kUnsynced, S::kDevice, ""},
      {R"({"ts_ms":5})", Q::kUnsynced, S::kDevice, ""},
      {R"({"Time":"2026-11-20T09:15:30"})", Q::kNoZone, S::kDevice, ""},
      {R"({"time":"2026-11-20T24:00:00Z"})", Q::kUnparsed, S::kDevice, ""},
      {R"({"time":"noon"})", Q::kUnparsed, S::kDevice, ""},
      {R"({"time":"2016-12-31T23:59:60Z"})", Q::kOk, S::kDevice, "2016-12-31T23:59:60Z"},
      // No time at all.
      {R"({"ts":null})", Q::kAbsent, S::kNone, ""},
      {R"({"ts":true})", Q::kAbsent, S::kNone, ""},
      {R"({"ts":""})", Q::kAbsent, S::kNone, ""},
      {R"({"time":"0001-01-01T00:00:00Z"})", Q::kAbsent, S::kNone, ""},
      {R"({"t":21.6})", Q::kAbsent, S::kNone, ""},
      {R"({"t":"warm"})", Q::kAbsent, S::kNone, ""},
      {R"({"t_ms":53211})", Q::kAbsent, S::kNone, ""},
      {R"({"t":123456789})", Q::kAbsent, S::kNone, ""},
      {R"({"date":"2026-11-20"})", Q::kAbsent, S::kNone, ""},
      {R"({"uptime":1795162530})", Q::kAbsent, S::kNone, ""},
      {R"({"aenergy":{"minute_ts":1795162500,"ts":1795162500}})", Q::kAbsent, S::kNone, ""},
      {R"({"TotalStartTime":"2025-01-03T10:11:12Z"})", Q::kAbsent, S::kNone, ""},
  };
  for (const JudgeCase& c : cases) {
    const DeviceTime time = One(c.payload).device_time;
    EXPECT_EQ(Name(time.quality), Name(c.quality)) << c.payload;
    EXPECT_EQ(Name(time.source), Name(c.source)) << c.payload;
    EXPECT_EQ(time.value, c.value) << c.payload;
    EXPECT_EQ(time.skew_ms.has_value(), !c.value.empty()) << c.payload;
    EXPECT_EQ(time.raw.empty(), c.quality == TimeQuality::kAbsent) << c.payload;
  }
}

TEST_F(DeviceTimeOfJson, IsTheSameInAnyWayOfWritingIt) {
  for (const std::string value : {"1795162530.25",
                                  "1.79516253025e9",
                                  "1795162530250",
                                  "1795162530250.0",
                                  "1.79516253025E+12",
                                  "1795162530250000",
                                  "1795162530250000000",
                                  "\"1795162530.25\"",
                                  "\"1.79516253025e9\"",
                                  "\"1795162530250\"",
                                  "\"1795162530250000000\"",
                                  "\" 1795162530250\\r\\n\"",
                                  "\"2026-11-20T08:15:30.25Z\"",
                                  "\"2026-11-20 08:15:30.250z\"",
                                  "\"2026-11-20t08:15:30.250000-00:00\"",
                                  "\"2026-11-20T13:45:30.25+05:30\"",
                                  "\"2026-11-20T14:00:30.25+0545\"",
                                  "\"2026-11-19T20:15:30.25-12:00\"",
                                  "\"2026-11-20T22:15:30.25+14:00\"",
                                  "\"2026-11-20T08:15:30.250000000999Z\""}) {
    for (const std::string name :
         {"ts", "Timestamp", "TIME", "deviceTime", "@timestamp", "tst", "eventTime", "t", "at"}) {
      const DeviceTime time = One("{\"" + name + "\":" + value + "}").device_time;
      EXPECT_EQ(time.value, "2026-11-20T08:15:30.250Z") << name << " " << value;
      EXPECT_EQ(Name(time.quality), "ok") << name << " " << value;
    }
  }
}

TEST_F(DeviceTimeOfJson, NegativeNumbersAreNoMoments) {
  EXPECT_EQ(Name(One(R"({"ts":-1})").device_time.quality), "unsynced");
  EXPECT_EQ(ValueOf(One(R"({"ts":-1})"), "ts"), Value(std::int64_t{-1}));
  EXPECT_EQ(Name(One(R"({"ts":"-60"})").device_time.quality), "unsynced");
  EXPECT_EQ(Name(One(R"({"ts":-1795162530})").device_time.quality), "implausible");
  EXPECT_EQ(Name(One(R"({"ts_ms":-1795162530250})").device_time.quality), "implausible");
  EXPECT_EQ(Name(One(R"({"t":-1795162530})").device_time.quality), "absent");
}

TEST_F(DeviceTimeOfJson, NoTimeOfOtherLanguagesIsAbsentInEveryZone) {
  for (const std::string text : {"0001-01-01T00:00:00", "0001-01-01T00:00:00Z", "0001-01-01T00:00:00+01:00",
                                 "0001-01-01 00:00:00-08:00", "0001-01-01T00:00:00.000Z"}) {
    EXPECT_EQ(Name(One("{\"time\":\"" + text + "\"}").device_time.quality), "absent") << text;
  }
}

TEST_F(DeviceTimeOfJson, OtherEpochsAndFormatsAreNeverCalledOk) {
  for (const std::string value : {
           "816855330",                              // since 2001
           "4004151330",                             // since 1900 (NTP)
           "134396361300000000",                     // 100 ns since 1601
           "639000000000000000",                     // 100 ns since year 1
           "29919375",                               // minutes
           "46346.344",                              // days since 1899-12-30
           "2461364.844",                            // Julian date
           "20261120081530",                         // digits of a date
           "\"20261120T081530Z\"",                   //
           "\"2026-11-20\"",                         //
           "\"08:15:30\"",                           //
           "\"20/11/2026 08:15:30\"",                //
           "\"Fri, 20 Nov 2026 08:15:30 GMT\"",      //
           "\"2026-11-20 08:15:30 UTC\"",            //
           "\"2026-11-20T08:15:30 +00:00\"",         //
           "\"2026-11-20T08:15:30\"",                // no zone
           "\"2026-11-20T08:15:30[Europe/Paris]\"",  //
           "\"2026-W47-5T08:15:30Z\"",               //
           "\"2026-324T08:15:30Z\"",                 //
           "\"+1795162530\"",                        //
           "\"0x6b000000\"",                         //
           "\"1,795,162,530\"",                      //
           "{\"$date\":1795162530250}",              //
           "[2026,11,20,8,15,30]",                   //
       }) {
    EXPECT_NE(Name(One("{\"ts\":" + value + ",\"x\":1}").device_time.quality), "ok") << value;
  }
}

TEST_F(DeviceTimeOfJson, OnSomeTopicsANameHasAMeaningOfItsOwn) {
  const auto judge = [&](const std::string& topic, const std::string& payload) {
    message_.topic = topic;
    const DeviceTime time = One(payload).device_time;
    return std::string(Name(time.source)) + " " + std::string(Name(time.quality)) + " " + time.value;
  };
  // ThingsBoard takes milliseconds; seconds there are the classic mistake.
  const std::string board = "v1/devices/me/telemetry";
  EXPECT_EQ(judge(board, R"({"ts":1795162530250,"values":{"v":1}})"), "device ok 2026-11-20T08:15:30.250Z");
  EXPECT_EQ(judge(board, R"([{"ts":1795162530250,"values":{"v":1}}])"), "device ok 2026-11-20T08:15:30.250Z");
  for (const std::string seconds : {"1795162530", "\"1795162530\"", "1795162530.25", "1.79516253e9"}) {
    EXPECT_EQ(judge(board, "{\"ts\":" + seconds + ",\"values\":{\"v\":1}}").substr(0, 18), "device implausible")
        << seconds;
  }
  EXPECT_EQ(judge(board, R"({"ts":1795162530250000,"values":{"v":1}})"), "device implausible ");
  EXPECT_EQ(judge(board, R"({"ts":86123,"values":{"v":1}})"), "device unsynced ");
  EXPECT_EQ(judge(board, R"({"temperature":21})"), "none absent ");
  EXPECT_EQ(judge("site/a", R"({"ts":1795162530,"values":{"v":1}})"), "device ok 2026-11-20T08:15:30Z");
  // Whose clock it is: the network server's, the cloud's.
  EXPECT_EQ(
      judge("application/7/device/0101010101010101/event/up", R"({"time":"2026-11-20T08:15:30.775023242+00:00"})"),
      "gateway ok 2026-11-20T08:15:30.775023242Z");
  EXPECT_EQ(judge("$aws/things/pump-3/shadow/update/accepted", R"({"timestamp":1795162530})"),
            "gateway ok 2026-11-20T08:15:30Z");
}

TEST_F(DeviceTimeOfJson, OfSeveralCandidatesTheMostBelievableCountsThenTheBetterName) {
  EXPECT_EQ(One(R"({"Time":"2026-11-20T09:15:30","Epoch":1795162530})").device_time.raw, "1795162530");
  EXPECT_EQ(One(R"({"time":"1970-01-01T00:00:05Z","created_at":1795162531})").device_time.raw, "1795162531");
  EXPECT_EQ(One(R"({"time":"0001-01-01T00:00:00Z","received_at":"2026-11-20T08:15:31Z"})").device_time.raw,
            "2026-11-20T08:15:31Z");
  EXPECT_EQ(One(R"({"created_at":1795162531,"sampled_at":1795162530})").device_time.raw, "1795162530");
  EXPECT_EQ(One(R"({"ts":12,"time":1795162530})").device_time.raw, "1795162530");
}

TEST_F(DeviceTimeOfJson, TheFieldThatWasTakenIsNotShownTwice) {
  const CanonicalRecord taken = One(R"({"ts":1795162530,"t":21.6})");
  EXPECT_FALSE(HasField(taken, "ts"));
  EXPECT_EQ(ValueOf(taken, "t"), Value(21.6));
  EXPECT_FALSE(HasField(One(R"({"Time":"2026-11-20T09:15:30"})"), "Time"));

  const CanonicalRecord other = One(R"({"Time":"2026-11-20T09:15:30","Epoch":1795162530})");
  EXPECT_EQ(ValueOf(other, "Time"), Value(std::string("2026-11-20T09:15:30")));
}

TEST_F(DeviceTimeOfJson, ASmallNumberIsToldAsUnsetClockAndStaysAReading) {
  const CanonicalRecord record = One(R"({"ts":86123})");
  EXPECT_EQ(record.device_time.raw, "86123");
  EXPECT_EQ(ValueOf(record, "ts"), Value(std::int64_t{86123}));
}

TEST_F(DeviceTimeOfJson, ATextTooLongForATimeStaysAnAttribute) {
  const std::string text(5000, '1');
  const CanonicalRecord record = One(R"({"time":")" + text + "\"}");
  EXPECT_EQ(record.device_time.quality, TimeQuality::kAbsent);
  EXPECT_EQ(ValueOf(record, "time"), Value(text));
}

TEST_F(DeviceTimeOfJson, SkewIsDeviceMinusReceived) {
  EXPECT_EQ(One(R"({"ts":1795162530})").device_time.skew_ms, -1500);
  EXPECT_EQ(One(R"({"ts":1795162532})").device_time.skew_ms, 500);
}

TEST_F(DeviceTimeOfJson, AGatewayWithoutAClockCallsNoDeviceEarlyOrLate) {
  message_.received_at = WallTime(std::chrono::seconds(90));
  const DeviceTime time = One(R"({"ts":1795162530})").device_time;
  EXPECT_EQ(time.quality, TimeQuality::kOk);
  EXPECT_EQ(time.value, "2026-11-20T08:15:30Z");
  EXPECT_FALSE(time.skew_ms);
}

}  // namespace
}  // namespace packhorse::contract
