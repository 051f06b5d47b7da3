using Angarium.Mail.Commands;
using BenchmarkDotNet.Attributes;

namespace Angarium.Bench.Micro;

/// <summary>The commands of one message.</summary>
[MemoryDiagnoser]
public class CommandBenchmarks
{
    [Benchmark]
    public int Transaction() =>
        (int)SmtpCommandParser.Parse("MAIL FROM:<load@bench.test> SIZE=4096 BODY=8BITMIME"u8).Verb
        + (int)SmtpCommandParser.Parse("RCPT TO:<someone@recipient.test>"u8).Verb
        + (int)SmtpCommandParser.Parse("DATA"u8).Verb;
}
