using System.Buffers;
using System.Text;
using Angarium.Mail.Content;
using BenchmarkDotNet.Attributes;

namespace Angarium.Bench.Micro;

/// <summary>A message's content from the wire to memory.</summary>
[MemoryDiagnoser]
public class ScannerBenchmarks
{
    private readonly ArrayBufferWriter<byte> _into = new(1 << 20);
    private byte[] _content = [];

    [Params(4 << 10, 100 << 10)]
    public int Size { get; set; }

    /// <summary>One line in so many begins with a dot.</summary>
    [Params(0, 10)]
    public int Dots { get; set; }

    [GlobalSetup]
    public void Prepare()
    {
        var text = new StringBuilder("Subject: x\r\nTo: someone@recipient.test\r\n\r\n");
        for (var line = 1; text.Length < Size; line++) text.Append(Dots > 0 && line % Dots == 0 ? ".." : "").Append('x', 76).Append("\r\n");
        _content = Encoding.ASCII.GetBytes(text.Append(".\r\n").ToString());
    }

    [Benchmark]
    public long Scan()
    {
        _into.ResetWrittenCount();
        var scanner = new EndOfDataScanner(ContentLimits.Default);
        if (scanner.Scan(_content, _into, out _) != ScanProgress.End) throw new InvalidOperationException("no end");
        return scanner.Octets;
    }
}
